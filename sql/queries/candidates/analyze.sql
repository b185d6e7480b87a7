-- The planner knows nothing of rows written a moment ago; without this it expects a handful and nests loops.
ANALYZE reconciler.candidates
