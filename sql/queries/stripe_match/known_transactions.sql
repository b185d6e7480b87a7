SELECT 'balance_transactions' AS control, false AS again, '' AS unit, 'matched' AS outcome, count(*) AS amount
FROM reconciler.stripe_balance_transactions t
WHERE t.created_at >= @begin::timestamptz AND t.created_at < @as_of::timestamptz AND t.reporting_category = ANY (@categories::text[])
UNION ALL
SELECT 'balance_transactions', false, t.currency, 'matched', sum(t.net_minor)
FROM reconciler.stripe_balance_transactions t
WHERE t.created_at >= @begin::timestamptz AND t.created_at < @as_of::timestamptz AND t.reporting_category = ANY (@categories::text[])
GROUP BY t.currency
