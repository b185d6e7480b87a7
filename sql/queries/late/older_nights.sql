-- Nights that were read before a date, with how many rows they had then.
SELECT t.business_date, sum(t.rows)::bigint AS rows
FROM reconciler.input_totals t
WHERE t.business_date < @before::date
GROUP BY 1
ORDER BY 1
