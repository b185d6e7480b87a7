-- The night's rows once more, counted plainly (the other side of the control totals), and those of them compared exactly that were set
-- aside or are in a bucket whose fingerprints differ. What is not plainly clean comes out, job by job; the totals have no job.
WITH looked_at AS MATERIALIZED (
    SELECT account_id, job_id, count(cost) AS jobs, coalesce(sum(cost), 0) AS cost, bool_and(plain) AS plain,
           coalesce(sum(net), 0) AS net, coalesce(sum(debit), 0) AS debits, count(*) - count(cost) AS entries, count(debit) AS usages
    FROM (SELECT CASE WHEN j.looked_at THEN j.account_id END AS account_id, CASE WHEN j.looked_at THEN {{ job_subject }} END AS job_id, j.credit_cost AS cost,
                 CASE WHEN j.looked_at THEN {{ job_is_plain }} AND j.created_at >= @begin::timestamptz END AS plain,
                 NULL::bigint AS net, NULL::bigint AS debit
          FROM (SELECT j.*, get_bit(@set_aside::bytea, hashtext(j.id) & (@bits::int - 1)) = 1
                            OR get_bit(@suspects::bytea, hashtext(j.id) & (@buckets::int - 1)) = 1 AS looked_at
                FROM {{ valid_jobs }} j
                WHERE j.finished_at >= @begin::timestamptz AND j.finished_at < @end::timestamptz) j
          UNION ALL
          SELECT CASE WHEN e.looked_at THEN e.account_id END, CASE WHEN e.looked_at THEN {{ entry_subject }} END, NULL, NULL,
                 CASE WHEN e.kind IN ('usage', 'adjustment') THEN -e.credits END, CASE e.kind WHEN 'usage' THEN -e.credits END
          FROM (SELECT e.account_id, e.id, e.job_id, e.kind, e.credits,
                       get_bit(@set_aside::bytea, hashtext(coalesce(e.job_id, 'entry:' || e.id)) & (@bits::int - 1)) = 1
                       OR get_bit(@suspects::bytea, hashtext(coalesce(e.job_id, '')) & (@buckets::int - 1)) = 1 AS looked_at
                FROM source.credit_entries e
                WHERE e.created_at >= @begin::timestamptz AND e.created_at < @end::timestamptz
                  AND (e.kind IN ('usage', 'credit_back') OR e.kind = 'adjustment' AND e.job_id IS NOT NULL)
                  AND {{ entry_is_valid }}
                  AND (NOT @some_moved::boolean OR NOT EXISTS (SELECT FROM reconciler.late_items l WHERE l.account_id = e.account_id AND l.entry_id = e.id))) e
          UNION ALL
          SELECT e.account_id, {{ entry_subject }}, NULL, NULL,
                 CASE WHEN e.kind IN ('usage', 'adjustment') THEN -e.credits END, CASE e.kind WHEN 'usage' THEN -e.credits END
          FROM reconciler.late_items l
          JOIN source.credit_entries e ON e.account_id = l.account_id AND e.id = l.entry_id
          WHERE l.booked_at >= @begin::timestamptz AND l.booked_at < @end::timestamptz
            AND (e.kind IN ('usage', 'credit_back') OR e.kind = 'adjustment' AND e.job_id IS NOT NULL)
            AND {{ entry_is_valid }}) side
    GROUP BY 1, 2
), compared AS (
    SELECT account_id, job_id, jobs, cost, debits,
           coalesce(plain AND jobs = 1 AND (net = cost AND entries = 1 AND usages = 1 OR entries = 0 AND cost = 0), false) AS clean
    FROM looked_at
    WHERE job_id IS NOT NULL
)
SELECT '' AS account_id, NULL AS job_id, count(*) FILTER (WHERE clean) AS jobs,
       coalesce(sum(cost) FILTER (WHERE clean), 0)::text AS cost, coalesce(sum(debits) FILTER (WHERE clean), 0)::text AS debits,
       (SELECT coalesce(sum(jobs), 0) FROM looked_at)::text AS scanned_jobs, (SELECT coalesce(sum(cost), 0) FROM looked_at)::text AS scanned_cost,
       (SELECT coalesce(sum(debits), 0) FROM looked_at)::text AS scanned_debits
FROM compared
UNION ALL
(SELECT account_id, job_id, jobs, cost::text, debits::text, '', '', ''
 FROM compared WHERE NOT clean AND (jobs > 0 OR debits <> 0)
 LIMIT @limit::int)
