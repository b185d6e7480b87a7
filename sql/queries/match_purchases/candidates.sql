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
    SELECT p.account_id, {{ purchase_subject }}, false, 0, 0
    FROM reconciler.rescans r
    JOIN {{ valid_purchases }} p ON p.completed_at >= r.begins AND p.completed_at < r.ends
    WHERE r.business_date = @date::date AND r.relation = 'purchases'
    UNION ALL
    -- Those that turned up from before the first night are booked already.
    SELECT p.account_id, {{ purchase_subject }}, false, 0, 0
    FROM reconciler.booked_purchases b
    JOIN {{ valid_purchases }} p ON p.account_id = b.account_id AND p.id = b.purchase_id
    WHERE b.is_late AND b.booked_at >= @begin::timestamptz AND b.booked_at < @end::timestamptz
) x
GROUP BY x.account_id, x.id
