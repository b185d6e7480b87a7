-- How many rows of each relation there were to look at, and how many keep the contract: the two sides of the control total.
[[ range . ]][[ if not .WasRead ]]SELECT '[[ .Name ]]' AS relation, count(*)::text AS rows, count(*) FILTER (WHERE [[ .Valid ]])::text AS kept
FROM source.[[ .Name ]] e
WHERE [[ .OfNight ]]
UNION ALL
[[ end ]][[ end ]]SELECT 'jobs', coalesce(sum(j.seen), 0)::text, coalesce(sum(j.kept), 0)::text FROM reconciler.account_jobs j WHERE j.business_date = @date::date
UNION ALL
SELECT 'credit_entries', coalesce(sum(e.seen), 0)::text, coalesce(sum(e.kept), 0)::text FROM reconciler.account_ledger e WHERE e.business_date = @date::date
