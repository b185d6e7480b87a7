-- Nights, whether they have been reported, and what they have noted of their jobs and entries: how many there must be, if none broke the contract.
WITH gained AS MATERIALIZED (SELECT l.entry_date, count(*) AS entries FROM reconciler.late_items l WHERE l.entry_date = ANY (@dates::date[]) GROUP BY 1)
SELECT d.business_date,
       EXISTS (SELECT 1 FROM reconciler.runs r WHERE r.business_date = d.business_date AND r.job = 'reports' AND r.status = 'completed') AS reported,
       count(t.relation) > 0 AS was_read,
       coalesce(sum(t.rows) FILTER (WHERE t.relation = 'jobs'), 0)::bigint AS jobs,
       coalesce(sum(t.rows) FILTER (WHERE t.relation = 'credit_entries'), 0)::bigint
       + coalesce(max(g.entries), 0) AS entries,
       EXISTS (SELECT 1 FROM reconciler.rejects r WHERE r.business_date = d.business_date AND r.relation IN ('jobs', 'credit_entries')) AS some_rejected
FROM unnest(@dates::date[]) AS d (business_date)
LEFT JOIN reconciler.input_totals t ON t.business_date = d.business_date
LEFT JOIN gained g ON g.entry_date = d.business_date
GROUP BY 1
ORDER BY 1
