-- Subscriptions that ran when last seen, but are not among those that Stripe lists as not canceled now.
SELECT id FROM reconciler.stripe_subscriptions
WHERE status NOT IN ('canceled', 'incomplete_expired') AND seen_at < to_timestamp(@since::bigint)
ORDER BY id
