-- What the night has to account for, counted by itself.
SELECT 'purchases' AS control, false AS again, '' AS unit, count(*) AS amount
FROM {{ valid_purchases }} p WHERE p.status = 'completed' AND p.completed_at >= @since::timestamptz AND p.completed_at < @as_of::timestamptz
UNION ALL
SELECT 'purchases', false, p.currency, sum(p.amount_minor)
FROM {{ valid_purchases }} p WHERE p.status = 'completed' AND p.completed_at >= @since::timestamptz AND p.completed_at < @as_of::timestamptz
GROUP BY p.currency
UNION ALL
SELECT 'charges', false, '', count(*)
FROM reconciler.stripe_charges c WHERE c.created_at >= @since::timestamptz AND c.created_at < @as_of::timestamptz
UNION ALL
SELECT 'charges', false, c.currency, sum(c.amount_minor)
FROM reconciler.stripe_charges c WHERE c.created_at >= @since::timestamptz AND c.created_at < @as_of::timestamptz
GROUP BY c.currency
UNION ALL
SELECT * FROM (
    SELECT s.job, true, '', count(*) FROM reconciler.candidates s
    WHERE s.business_date = @date::date AND s.job IN ('purchases', 'charges') AND NOT s.in_scan GROUP BY s.job
) again
