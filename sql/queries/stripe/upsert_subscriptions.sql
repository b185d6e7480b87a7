-- A page or more of subscriptions as Stripe has them now; times are Unix seconds.
WITH r AS (
    SELECT r.id, r.customer_id, r.status, r.latest_invoice_id, r.cancel_at_period_end,
        to_timestamp(nullif(r.current_period_start, 0)) AS current_period_start, to_timestamp(nullif(r.current_period_end, 0)) AS current_period_end,
        to_timestamp(nullif(r.cancel_at, 0)) AS cancel_at, to_timestamp(nullif(r.canceled_at, 0)) AS canceled_at,
        to_timestamp(nullif(r.ended_at, 0)) AS ended_at, to_timestamp(r.created_at) AS created_at
    FROM unnest(@id::text[], @customer_id::text[], @status::text[], @latest_invoice_id::text[], @cancel_at_period_end::boolean[],
        @current_period_start::bigint[], @current_period_end::bigint[], @cancel_at::bigint[], @canceled_at::bigint[], @ended_at::bigint[],
        @created_at::bigint[])
        AS r(id, customer_id, status, latest_invoice_id, cancel_at_period_end, current_period_start, current_period_end, cancel_at, canceled_at,
            ended_at, created_at)
), changed AS (
    -- Everything here sees the rows as they were before this statement.
    INSERT INTO reconciler.stripe_states (object_id, effective_at, status, seen_at)
    SELECT r.id, coalesce(t.seen_at, r.created_at), r.status, to_timestamp(@seen_at::bigint)
    FROM r LEFT JOIN reconciler.stripe_subscriptions t ON t.id = r.id
    WHERE t.status IS DISTINCT FROM r.status
    ON CONFLICT DO NOTHING
)
INSERT INTO reconciler.stripe_subscriptions AS t (
    id, customer_id, status, latest_invoice_id, cancel_at_period_end, current_period_start, current_period_end, cancel_at, canceled_at, ended_at,
    created_at, seen_at
)
SELECT r.id, r.customer_id, r.status, r.latest_invoice_id, r.cancel_at_period_end, r.current_period_start, r.current_period_end, r.cancel_at,
    r.canceled_at, r.ended_at, r.created_at, to_timestamp(@seen_at::bigint)
FROM r
ON CONFLICT (id) DO UPDATE SET
    status = excluded.status, latest_invoice_id = excluded.latest_invoice_id, cancel_at_period_end = excluded.cancel_at_period_end,
    current_period_start = excluded.current_period_start, current_period_end = excluded.current_period_end, cancel_at = excluded.cancel_at,
    canceled_at = excluded.canceled_at, ended_at = excluded.ended_at, seen_at = excluded.seen_at
WHERE (t.status, t.latest_invoice_id, t.cancel_at_period_end, t.current_period_start, t.current_period_end, t.cancel_at, t.canceled_at, t.ended_at)
    IS DISTINCT FROM (excluded.status, excluded.latest_invoice_id, excluded.cancel_at_period_end, excluded.current_period_start, excluded.current_period_end,
    excluded.cancel_at, excluded.canceled_at, excluded.ended_at)
    OR t.status NOT IN ('canceled', 'incomplete_expired') -- so that seen_at says since when a later change can have happened
