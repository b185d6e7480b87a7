-- The night's finished jobs against the night's entries, set against set. Only what is not plainly clean comes out, as candidates for
-- the exact rules. Plainly clean: succeeded, created in the night (so no entry can be older than it), exactly one entry, a debit of its cost.
-- Grouped by a hash of the id, so that no array grows beyond what memory holds even when every job is an exception.
WITH joined AS (
    SELECT coalesce(j.id, d.job_id) AS job_id, coalesce(j.account_id, d.account_id) AS account_id,
           j.id IS NOT NULL AS is_job, coalesce(j.credit_cost, 0) AS cost, coalesce(d.debits, 0) AS debits,
           coalesce(j.status = 'succeeded' AND j.created_at >= @begin::timestamptz
                    AND (d.net = j.credit_cost AND d.entries = 1 AND d.usages = 1 OR d.net IS NULL AND j.credit_cost = 0), false) AS clean
    FROM (SELECT {{ job_subject }} AS id, account_id, status, credit_cost, created_at
          FROM {{ valid_jobs }} j
          WHERE finished_at >= @begin::timestamptz AND finished_at < @end::timestamptz) j
    FULL JOIN (SELECT account_id, {{ entry_subject }} AS job_id,
                      coalesce(-sum(credits) FILTER (WHERE kind IN ('usage', 'adjustment')), 0) AS net,
                      -sum(credits) FILTER (WHERE kind = 'usage') AS debits,
                      count(*) AS entries, count(*) FILTER (WHERE kind = 'usage') AS usages
               FROM {{ entries_of_night }} e
               WHERE kind = 'usage' AND credits <> 0 OR kind = 'credit_back' OR kind = 'adjustment' AND job_id IS NOT NULL
               GROUP BY 1, 2) d
      ON d.account_id = j.account_id AND d.job_id = j.id
), buckets AS MATERIALIZED (
    SELECT count(*) FILTER (WHERE clean) AS clean_jobs,
           coalesce(sum(cost) FILTER (WHERE clean), 0) AS clean_cost,
           coalesce(sum(debits) FILTER (WHERE clean), 0) AS clean_debits,
           array_agg(account_id) FILTER (WHERE NOT clean) AS accounts,
           array_agg(job_id) FILTER (WHERE NOT clean) AS job_ids,
           array_agg(is_job) FILTER (WHERE NOT clean) AS are_jobs,
           array_agg(cost) FILTER (WHERE NOT clean) AS costs,
           array_agg(debits) FILTER (WHERE NOT clean) AS debits
    FROM joined
    GROUP BY hashtext(job_id) & 1023
), kept AS (
    INSERT INTO reconciler.candidates (business_date, job, account_id, subject_id, in_scan, cost, debits)
    SELECT @date::date, @job::text, x.account_id, x.job_id, x.is_job, x.cost, x.debits
    FROM buckets b
    CROSS JOIN LATERAL unnest(b.accounts, b.job_ids, b.are_jobs, b.costs, b.debits) AS x (account_id, job_id, is_job, cost, debits)
)
SELECT coalesce(sum(clean_jobs), 0) AS jobs, coalesce(sum(clean_cost), 0) AS cost, coalesce(sum(clean_debits), 0) AS debits
FROM buckets
