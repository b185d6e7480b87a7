-- Automatic payouts whose transactions Stripe has settled on and we have not read yet.
SELECT id FROM reconciler.stripe_payouts
WHERE automatic AND NOT broken_down AND reconciliation_status = 'completed'
ORDER BY created_at, id
