-- What lost disputes have withdrawn: all of it when they are lost, and what came after.
SELECT d.id AS dispute_id, t.currency, (-sum(t.amount_minor))::text AS withdrawn
FROM {{ disputes_as_of }} d
JOIN reconciler.stripe_balance_transactions t ON t.source_id = d.id AND t.reporting_category IN ('dispute', 'dispute_reversal')
 AND t.created_at < @as_of::timestamptz AND t.created_at >= CASE WHEN d.status_since >= @from::timestamptz THEN @books_begin::timestamptz ELSE @from::timestamptz END
WHERE d.status = 'lost'
GROUP BY 1, 2
HAVING sum(t.amount_minor) <> 0
ORDER BY 1, 2
