-- How many jobs the night is known to have, roughly: 0 when nobody has noted it.
SELECT coalesce(max(t.rows), 0) FROM reconciler.input_totals t WHERE t.business_date = @date::date AND t.relation = 'jobs' AND t.bucket = -1
