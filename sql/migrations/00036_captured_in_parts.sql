-- +goose Up
-- That more of a payment may be captured is a state of its own. What is known of those that are so now is from when they were seen last.
INSERT INTO reconciler.stripe_states (object_id, effective_at, status, seen_at)
SELECT c.id, c.seen_at, 'partly_captured', c.seen_at
FROM reconciler.stripe_charges c
WHERE c.status = 'succeeded' AND NOT c.captured AND c.captured_minor > 0
ON CONFLICT DO NOTHING;
