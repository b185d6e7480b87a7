SELECT stream, extract(epoch FROM synced_through)::bigint AS synced_through
FROM reconciler.stripe_watermarks
WHERE stripe_account = @stripe_account::text AND livemode = @livemode::boolean
