-- Each candidate against the purchase that it pays. What brought no money in, or gave all of it back, needs none.
INSERT INTO reconciler.stripe_checks (account_id, business_date, job, control, again, subject_id, outcome, kind, field, ours, theirs, variance,
    unit, detail, amount_minor, currency, since)
WITH facts AS (
    SELECT s.in_scan, c.id, c.amount_minor, c.captured_minor, c.currency, c.created_at, c.status, c.status_since,
           coalesce(r.refunded_minor, 0) AS refunded_minor, p.id AS purchase_id, p.account_id, p.amount_minor AS purchase_amount,
           m.id AS main_charge_id
    FROM reconciler.candidates s
    JOIN {{ charges_as_of }} c ON c.id = s.subject_id
    LEFT JOIN LATERAL (SELECT sum(r.amount_minor) AS refunded_minor FROM {{ refunds_as_of }} r WHERE r.charge_id = c.id AND r.is_live) r ON true
    LEFT JOIN LATERAL {{ purchase_of_charge }} p ON true
    LEFT JOIN LATERAL {{ main_charge }} m ON true
    WHERE s.business_date = @date::date AND s.job = @scope::text
), judged AS (
    SELECT f.*, CASE
        WHEN status IN ('failed', 'pending') OR refunded_minor >= captured_minor THEN 'matched'
        WHEN main_charge_id = id THEN 'matched'
        WHEN purchase_id IS NOT NULL THEN 'duplicate_charge'
        WHEN greatest(created_at, status_since) > @grace_before::timestamptz THEN 'awaiting'
        ELSE 'charge_missing_in_platform' END AS verdict
    FROM facts f
)
SELECT CASE WHEN verdict = 'duplicate_charge' THEN account_id ELSE '' END, @date::date, @job::text,
       @scope::text, NOT in_scan, id,
       CASE WHEN verdict IN ('matched', 'awaiting') THEN verdict ELSE 'break' END,
       CASE WHEN verdict IN ('matched', 'awaiting') THEN '' ELSE verdict END,
       CASE WHEN verdict = 'duplicate_charge' THEN 'charge' WHEN verdict = 'charge_missing_in_platform' THEN 'purchase' ELSE '' END,
       CASE WHEN verdict = 'duplicate_charge' THEN main_charge_id ELSE '' END,
       CASE WHEN verdict = 'duplicate_charge' THEN id ELSE (captured_minor - refunded_minor)::text END,
       CASE WHEN verdict IN ('matched', 'awaiting') THEN 0 ELSE refunded_minor - captured_minor END,
       CASE WHEN verdict IN ('matched', 'awaiting') THEN '' ELSE currency END,
       CASE WHEN verdict = 'duplicate_charge' THEN 'purchase ' || purchase_id || ' is paid by ' || main_charge_id ELSE '' END,
       amount_minor, currency, greatest(created_at, status_since)
FROM judged
