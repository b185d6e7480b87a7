INSERT INTO reconciler.candidates (business_date, job, account_id, subject_id, in_scan, cost, debits)
SELECT @date::date, @job::text, x.account_id, x.id, bool_or(x.is_purchase), sum(x.credits), sum(x.granted)
FROM (
    SELECT p.account_id, {{ purchase_subject }} AS id, true AS is_purchase, p.credits, 0 AS granted
    FROM {{ valid_purchases }} p
    WHERE p.status = 'completed' AND p.completed_at >= @begin::timestamptz AND p.completed_at < @end::timestamptz
    UNION ALL
    SELECT e.account_id, {{ grant_subject }}, false, 0, e.credits
    FROM {{ entries_of_night }} e
    WHERE e.kind = 'purchase'
    UNION ALL
    SELECT e.account_id, {{ grant_subject }}, false, 0, 0
    FROM {{ entries_of_night }} e
    WHERE e.kind = 'adjustment' AND e.purchase_id IS NOT NULL
    UNION ALL
    -- What is taken back of a purchase that is not completed, or given again, decides whether its grant stands.
    SELECT p.account_id, {{ purchase_subject }}, false, 0, 0
    FROM {{ entries_of_night }} e
    JOIN {{ valid_purchases }} p ON p.account_id = e.account_id AND p.id = e.purchase_id
    WHERE e.kind IN ('refund', 'refund_reversal') AND (p.status = 'completed' AND p.completed_at < @end::timestamptz) IS NOT TRUE
    UNION ALL
    SELECT p.account_id, {{ purchase_subject }}, false, 0, 0
    FROM reconciler.rescans r
    JOIN {{ valid_purchases }} p ON p.completed_at >= r.begins AND p.completed_at < r.ends
    WHERE r.business_date = @date::date AND r.relation = 'purchases'
    UNION ALL
    -- Those that arrived from before the first night are booked already.
    SELECT p.account_id, {{ purchase_subject }}, false, 0, 0
    FROM reconciler.booked_purchases b
    JOIN {{ valid_purchases }} p ON p.account_id = b.account_id AND p.id = b.purchase_id
    WHERE b.is_late AND b.booked_at >= @begin::timestamptz AND b.booked_at < @end::timestamptz
) x
GROUP BY x.account_id, x.id
