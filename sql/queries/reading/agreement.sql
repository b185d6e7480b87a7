-- Accounts whose debits are those that their jobs ask for, in total, and the others by name, as many as are asked for.
SELECT coalesce(sum(jobs) FILTER (WHERE agrees), 0) AS jobs, coalesce(sum(cost) FILTER (WHERE agrees), 0) AS cost,
       coalesce(sum(usage) FILTER (WHERE agrees), 0) AS debits,
       coalesce(sum(jobs), 0) AS all_jobs, coalesce(sum(cost), 0) AS all_cost, coalesce(sum(usage), 0) AS all_debits,
       coalesce(sum(entries), 0) AS all_entries, coalesce(sum(credits), 0) AS all_credits,
       coalesce((array_agg(account_id) FILTER (WHERE NOT agrees))[1:@limit::int], '{}') AS suspects
FROM (
    SELECT coalesce(j.account_id, e.account_id) AS account_id, coalesce(j.jobs, 0) AS jobs, coalesce(j.cost, 0) AS cost, coalesce(e.usage, 0) AS usage,
           coalesce(e.kept, 0) AS entries, coalesce(e.credits, 0) AS credits,
           coalesce(j.debits, 0) = coalesce(e.debits, 0) AND coalesce(j.first, 0) = coalesce(e.first, 0) AND coalesce(j.second, 0) = coalesce(e.second, 0) AS agrees
    FROM (SELECT * FROM reconciler.account_jobs j WHERE j.business_date = @date::date AND j.kept > 0) j
    FULL JOIN (SELECT * FROM reconciler.account_ledger e WHERE e.business_date = @date::date AND e.kept > 0) e ON e.account_id = j.account_id
) compared
