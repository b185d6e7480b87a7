-- Access against what was paid for (clause 4.2). Clocks may differ by a minute.
INSERT INTO reconciler.stripe_checks (account_id, business_date, job, control, again, subject_id, outcome, kind, field, ours, theirs, variance,
    unit, detail, since)
WITH subscription AS MATERIALIZED {{ subscriptions_as_of }}, facts AS (
    SELECT s.id, s.account_id, s.status, s.access_ends_at, t.paid_through, coalesce(t.paid_through, s.current_period_end) AS paid_until
    FROM reconciler.candidates k
    JOIN subscription s ON s.id = k.subject_id
    LEFT JOIN LATERAL {{ paid_through }} t ON true
    WHERE k.business_date = @date::date AND k.job = @scope::text
), judged AS (
    SELECT f.*, CASE
        WHEN access_ends_at < paid_until - interval '1 minute' THEN 'access_ended_early'
        WHEN access_ends_at > paid_until + interval '1 minute' THEN 'access_outlasts_period'
        WHEN access_ends_at IS NULL AND lower(status) = 'active' AND paid_through <= @grace_before::timestamptz THEN 'access_outlasts_period'
        WHEN access_ends_at IS NULL AND lower(status) = 'active' AND paid_through < @as_of::timestamptz THEN 'awaiting'
        ELSE 'matched' END AS verdict
    FROM facts f
)
SELECT account_id, @date::date, @job::text, @scope::text, false, id,
       CASE WHEN verdict IN ('matched', 'awaiting') THEN verdict ELSE 'break' END,
       CASE WHEN verdict IN ('matched', 'awaiting') THEN '' ELSE verdict END,
       CASE WHEN verdict IN ('matched', 'awaiting') THEN '' ELSE 'access_ends_at' END,
       CASE WHEN verdict IN ('matched', 'awaiting') THEN '' ELSE coalesce(to_char(access_ends_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'open') END,
       CASE WHEN verdict IN ('matched', 'awaiting') THEN '' ELSE to_char(paid_until AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') END,
       CASE WHEN verdict IN ('matched', 'awaiting') THEN 0 ELSE trunc(extract(epoch FROM coalesce(access_ends_at, @as_of::timestamptz) - paid_until)) END,
       CASE WHEN verdict IN ('matched', 'awaiting') THEN '' ELSE 'seconds' END,
       CASE WHEN verdict IN ('matched', 'awaiting') THEN '' WHEN paid_through IS NULL THEN 'by the platform''s period; no invoice was paid'
           ELSE 'by the last paid invoice' END, paid_through
FROM judged
