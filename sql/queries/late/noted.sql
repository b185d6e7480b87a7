-- What reported nights have noted of their jobs and entries: how many there must be, if none broke the contract.
SELECT t.business_date, coalesce(sum(t.rows) FILTER (WHERE t.relation = 'jobs'), 0)::bigint AS jobs,
       coalesce(sum(t.rows) FILTER (WHERE t.relation = 'credit_entries'), 0)::bigint
       + (SELECT count(*) FROM reconciler.late_items l WHERE l.entry_date = t.business_date) AS entries,
       EXISTS (SELECT FROM reconciler.rejects r WHERE r.business_date = t.business_date AND r.relation IN ('jobs', 'credit_entries')) AS some_rejected
FROM reconciler.input_totals t
WHERE t.business_date = ANY (@dates::date[])
GROUP BY 1
ORDER BY 1
