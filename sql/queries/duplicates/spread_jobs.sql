-- Sends each id of the night's jobs to the node that its hash names, from node to node.
INSERT INTO reconciler.spread_ids (id)
SELECT x.id FROM every_row_of.jobs x
WHERE {{ jobs_searched }}
