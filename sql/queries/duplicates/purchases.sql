-- Purchases that the night looks at exactly and whose id is there more than once, of whatever night.
WITH suspect AS MATERIALIZED (
    SELECT x.id FROM every_row_of.purchases x
    WHERE x.created_at >= {{ duplicates_since }} AND x.created_at < @end::timestamptz OR x.completed_at >= {{ duplicates_since }} AND x.completed_at < @end::timestamptz
    GROUP BY x.id
    HAVING count(*) > 1
    UNION
    SELECT x.id FROM every_row_of.purchases x
    WHERE x.created_at >= @begin::timestamptz AND x.created_at < @end::timestamptz OR x.completed_at >= @begin::timestamptz AND x.completed_at < @end::timestamptz
    UNION
    SELECT e.purchase_id FROM every_row_of.credit_entries e
    WHERE e.created_at >= @begin::timestamptz AND e.created_at < @end::timestamptz AND e.kind <> 'usage'
    UNION
    SELECT b.subject_id FROM reconciler.breaks b WHERE b.subject_type = 'purchase' AND b.opened_on < @date::date AND (b.closed_on IS NULL OR b.closed_on >= @date::date)
    UNION
    SELECT w.purchase_id FROM reconciler.refund_windows w WHERE w.business_date = @date::date - 1 AND w.state IN ('open', 'requested')
    UNION
    SELECT r.purchase_id FROM every_row_of.refund_requests r WHERE r.status IN ('pending', 'approved') OR r.requested_at >= @begin::timestamptz OR r.decided_at >= @begin::timestamptz
), twice AS (
    SELECT s.id, t.account_id, t.rows
    FROM suspect s
    CROSS JOIN LATERAL (SELECT coalesce(min(x.account_id COLLATE "C"), '') AS account_id, count(*) AS rows
                        FROM (SELECT * FROM every_row_of.purchases x WHERE x.id = s.id OFFSET 0) x WHERE (x.created_at < @end::timestamptz) IS NOT FALSE) t
    WHERE s.id <> '' AND t.rows > 1
), {{ reject_surplus }}
