SELECT a.reporting_category, a.currency, sum(a.count)::bigint AS count, sum(a.gross) AS gross, sum(a.fee) AS fee, sum(a.net) AS net
FROM {{ books_of }} k
JOIN reconciler.stripe_activity a ON a.business_date = k.business_date
WHERE a.business_date >= @from::date
GROUP BY 1, 2
ORDER BY a.reporting_category COLLATE "C", a.currency COLLATE "C"
