-- Subscriptions by the platform's id, or by Stripe's where the platform has none. Rows that break the contract are told as well: to_char says nothing of infinity.
SELECT s.current_period_start AS at, 'platform.subscriptions ' || s.id AS source, '' AS clause,
       'subscription ' || s.id || ' (' || coalesce(s.plan, '?') || ') of account ' || coalesce(s.account_id, '?') || ', ' || coalesce(s.status, '?') || ': the period from '
       || coalesce(to_char(s.current_period_start AT TIME ZONE 'UTC', 'YYYY-MM-DD'), s.current_period_start::text, '?') || ' to '
       || coalesce(to_char(s.current_period_end AT TIME ZONE 'UTC', 'YYYY-MM-DD'), s.current_period_end::text, '?')
       || coalesce('; access ends ' || coalesce(to_char(s.access_ends_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI'), s.access_ends_at::text), '') || '; at Stripe ' || coalesce(s.stripe_subscription_id, '-') AS says
FROM source.subscriptions s WHERE s.id = ANY (@ids::text[])
UNION ALL
SELECT x.created_at, 'Stripe subscription ' || x.id, '', 'at Stripe it is ' || x.status
       || coalesce(', until ' || to_char(x.current_period_end AT TIME ZONE 'UTC', 'YYYY-MM-DD'), '') || CASE WHEN x.cancel_at_period_end THEN ', and ends with its period' ELSE '' END
FROM reconciler.stripe_subscriptions x
WHERE x.id IN (SELECT unnest(@ids::text[]) UNION SELECT s.stripe_subscription_id FROM source.subscriptions s WHERE s.id = ANY (@ids::text[]))
UNION ALL
SELECT c.requested_at, 'platform.subscription_changes ' || c.id, '4.1', coalesce(c.kind, '?') || ' from ' || coalesce(c.from_plan, '?') || coalesce(' to ' || c.to_plan, '')
       || ', effective ' || coalesce(to_char(c.effective_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI'), c.effective_at::text, '?') || coalesce('; invoice ' || c.stripe_invoice_id, '')
FROM source.subscription_changes c WHERE c.subscription_id = ANY (@ids::text[])
