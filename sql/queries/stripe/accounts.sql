-- Whose books these are; more than one row can't be.
SELECT stripe_account, livemode FROM reconciler.stripe_accounts ORDER BY first_used_at
