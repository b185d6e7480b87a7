-- How many entries the nights up to this one have read.
SELECT coalesce(sum(t.rows), 0)::bigint FROM reconciler.input_totals t WHERE t.relation = 'credit_entries' AND t.business_date <= @date::date
