-- What the night has to account for, counted by itself: the disputes that are open at its end.
SELECT 'open disputes and their accounts' AS check_name, '' AS unit, count(*)::text AS amount
FROM {{ disputes_as_of }} d WHERE d.status NOT IN ('won', 'lost', 'warning_closed')
UNION ALL
SELECT 'open disputes and their accounts', d.currency, sum(d.amount_minor)::text
FROM {{ disputes_as_of }} d WHERE d.status NOT IN ('won', 'lost', 'warning_closed')
GROUP BY d.currency
UNION ALL
SELECT 'disputes and their money', '', count(*)::text FROM reconciler.dispute_cases k WHERE k.business_date = @date::date
UNION ALL
SELECT 'disputed charges and their refunds', '', count(DISTINCT k.charge_id)::text FROM reconciler.dispute_cases k WHERE k.business_date = @date::date
