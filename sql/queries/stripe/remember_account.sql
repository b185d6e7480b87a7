INSERT INTO reconciler.stripe_accounts (stripe_account, livemode, first_used_at)
VALUES (@stripe_account::text, @livemode::boolean, to_timestamp(@seen_at::bigint))
ON CONFLICT DO NOTHING
