-- How many rows of a relation there were to look at, and how many keep the contract.
SELECT coalesce(sum(r.seen), 0)::text AS rows, coalesce(sum(r.kept), 0)::text AS kept
FROM (SELECT 'jobs' AS relation, j.seen, j.kept FROM reconciler.account_jobs j WHERE j.business_date = @date::date
      UNION ALL
      SELECT 'credit_entries', e.seen, e.kept FROM reconciler.account_ledger e WHERE e.business_date = @date::date) r
WHERE r.relation = @relation::text
