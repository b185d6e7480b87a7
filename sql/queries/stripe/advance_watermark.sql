-- Never backwards.
INSERT INTO reconciler.stripe_watermarks AS w (stripe_account, livemode, stream, synced_through)
VALUES (@stripe_account::text, @livemode::boolean, @stream::text, to_timestamp(@synced_through::bigint))
ON CONFLICT (stripe_account, livemode, stream) DO UPDATE SET synced_through = greatest(w.synced_through, excluded.synced_through)
