-- Rows of earlier nights that this one names, by relation.
SELECT relation, count(DISTINCT (account_id, row_id)) AS rows
FROM reconciler.rejects
WHERE business_date = @date::date AND cause = 'late'
GROUP BY 1
ORDER BY 1
