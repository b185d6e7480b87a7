-- Automatic payouts whose transactions Stripe has settled on and we have not read yet, or are to read again.
SELECT id, broken_down FROM reconciler.stripe_payouts
WHERE automatic AND reconciliation_status = 'completed' AND (NOT broken_down OR created_at >= to_timestamp(@again::bigint) OR id = ANY (@ids::text[]))
ORDER BY created_at, id
