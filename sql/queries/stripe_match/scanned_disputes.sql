-- What the night has to account for, counted by itself: the disputes that are open at its end.
SELECT 'open_disputes' AS control, false AS again, '' AS unit, count(*) AS amount
FROM {{ disputes_as_of }} d WHERE d.status NOT IN ('won', 'lost', 'warning_closed')
UNION ALL
SELECT 'open_disputes', false, d.currency, sum(d.amount_minor)
FROM {{ disputes_as_of }} d WHERE d.status NOT IN ('won', 'lost', 'warning_closed')
GROUP BY d.currency
UNION ALL
SELECT 'dispute_money', false, '', count(*) FROM reconciler.dispute_cases k WHERE k.business_date = @date::date
UNION ALL
SELECT 'disputed_charges', false, '', count(DISTINCT k.charge_id) FROM reconciler.dispute_cases k WHERE k.business_date = @date::date
