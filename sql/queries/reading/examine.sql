-- The rows of accounts that don't agree, and the late items, compared exactly, job by job. What is not plainly clean comes out; the totals have no
-- job.
WITH looked_at AS MATERIALIZED (
    SELECT account_id, job_id, count(cost) AS jobs, coalesce(sum(cost), 0) AS cost, bool_and(plain) AS plain,
           coalesce(sum(net), 0) AS net, coalesce(sum(debit), 0) AS debits, count(*) - count(cost) AS entries, count(debit) AS usages
    FROM (SELECT j.account_id, {{ job_subject }} AS job_id, j.credit_cost AS cost, {{ job_is_plain }} AND j.created_at >= @begin::timestamptz AS plain,
                 NULL::numeric AS net, NULL::numeric AS debit
          FROM {{ valid_jobs }} j
          WHERE j.finished_at >= @begin::timestamptz AND j.finished_at < @end::timestamptz AND j.account_id = ANY (@suspects::text[])
          UNION ALL
          SELECT e.account_id, {{ entry_subject }}, NULL, NULL,
                 CASE WHEN e.kind IN ('usage', 'adjustment') THEN -e.credits::numeric END, CASE WHEN e.kind = 'usage' THEN -e.credits::numeric END
          FROM source.credit_entries e
          WHERE e.created_at >= @begin::timestamptz AND e.created_at < @end::timestamptz AND e.account_id = ANY (@suspects::text[])
            AND (e.kind IN ('usage', 'credit_back') OR e.kind = 'adjustment' AND e.job_id IS NOT NULL)
            AND {{ entry_is_valid }}
            AND (NOT @some_moved::boolean OR NOT EXISTS (SELECT FROM reconciler.late_items l WHERE l.account_id = e.account_id AND l.entry_id = e.id))
          UNION ALL
          SELECT e.account_id, {{ entry_subject }}, NULL, NULL,
                 CASE WHEN e.kind IN ('usage', 'adjustment') THEN -e.credits::numeric END, CASE WHEN e.kind = 'usage' THEN -e.credits::numeric END
          FROM {{ late_entries_of_night }} e
          WHERE e.kind IN ('usage', 'credit_back') OR e.kind = 'adjustment' AND e.job_id IS NOT NULL) side
    GROUP BY 1, 2
), compared AS (
    SELECT account_id, job_id, jobs, cost, debits,
           coalesce(plain AND jobs = 1 AND (net = cost AND entries = 1 AND usages = 1 OR entries = 0 AND cost = 0), false) AS clean
    FROM looked_at
)
SELECT '' AS account_id, NULL AS job_id, count(*) FILTER (WHERE clean) AS jobs,
       coalesce(sum(cost) FILTER (WHERE clean), 0)::text AS cost, coalesce(sum(debits) FILTER (WHERE clean), 0)::text AS debits
FROM compared
UNION ALL
(SELECT account_id, job_id, jobs, cost::text, debits::text
 FROM compared WHERE NOT clean AND (jobs > 0 OR debits <> 0)
 LIMIT @limit::int)
