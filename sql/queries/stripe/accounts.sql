-- The Stripe account that the tables are about; there can be no more than one row.
SELECT stripe_account, livemode FROM reconciler.stripe_accounts ORDER BY first_used_at
