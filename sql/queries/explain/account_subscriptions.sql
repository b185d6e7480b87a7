-- An account's subscriptions, newest period first: what the platform gives access for, and what Stripe has of it.
SELECT s.id, coalesce(s.plan, '') AS plan, coalesce(s.status, '') AS status, s.current_period_start, s.current_period_end, s.access_ends_at, s.cancel_requested_at,
       coalesce(x.status || CASE WHEN x.cancel_at_period_end THEN ', ends with its period' ELSE '' END, '') AS at_stripe
FROM source.subscriptions s
LEFT JOIN reconciler.stripe_subscriptions x ON x.id = s.stripe_subscription_id
WHERE s.account_id = @account_id::text
ORDER BY s.current_period_start DESC NULLS LAST, s.id COLLATE "C"
LIMIT @most::int
