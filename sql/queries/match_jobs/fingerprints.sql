-- The night's jobs against its debits by fingerprint, in buckets by hash of the job's id. A bucket agrees when the sums of two hashes of
-- (account, job, credits), with seeds that nobody knew before, are the same on both sides. Random hashes of 63 bits agree over different
-- rows with a probability of 2^-126 a bucket, and there are at most 2^13 buckets: 2^-113 a night. What agrees is plainly clean: it
-- ended as it should, or with a failure code that the policy knows, and has exactly one debit of its cost, so that the cost is what was
-- debited too. A job that isn't plain counts with a cost that no debit can have; debits of nothing change nothing. What was set aside
-- stays out of both sides. The two sides are appended before they are grouped: the planner then takes the groups for few, works on them in
-- parallel, and neither sorts millions of rows nor makes room for as many groups.
SELECT coalesce(sum(jobs) FILTER (WHERE agrees), 0)::text AS jobs, coalesce(sum(cost) FILTER (WHERE agrees), 0)::text AS cost,
       coalesce(sum(cost) FILTER (WHERE agrees), 0)::text AS debits, coalesce(array_agg(bucket) FILTER (WHERE NOT agrees), '{}') AS suspects
FROM (SELECT bucket, count(cost) AS jobs, coalesce(sum(cost), 0) AS cost, coalesce(sum(first), 0) = 0 AND coalesce(sum(second), 0) = 0 AS agrees
      FROM (SELECT hashtext(j.id) & (@buckets::int - 1) AS bucket, j.credit_cost AS cost,
                   hashint8extended(j.amount, hashtextextended(j.id, hashtextextended(j.account_id, @first_seed::bigint))) >> 1 AS first,
                   hashint8extended(j.amount, hashtextextended(j.id, hashtextextended(j.account_id, @second_seed::bigint))) >> 1 AS second
            FROM (SELECT j.id, j.account_id, j.credit_cost, CASE WHEN NOT {{ job_is_plain }} THEN -1 WHEN j.credit_cost > 0 THEN j.credit_cost END AS amount
                  FROM {{ valid_jobs }} j
                  WHERE j.finished_at >= @begin::timestamptz AND j.finished_at < @end::timestamptz
                    AND get_bit(@set_aside::bytea, hashtext(j.id) & (@bits::int - 1)) <> 1) j
            UNION ALL
            SELECT hashtext(coalesce(e.job_id, '')) & (@buckets::int - 1), NULL,
                   -(hashint8extended(-e.credits, hashtextextended(coalesce(e.job_id, ''), hashtextextended(e.account_id, @first_seed::bigint))) >> 1),
                   -(hashint8extended(-e.credits, hashtextextended(coalesce(e.job_id, ''), hashtextextended(e.account_id, @second_seed::bigint))) >> 1)
            FROM source.credit_entries e
            WHERE e.created_at >= @begin::timestamptz AND e.created_at < @end::timestamptz AND e.kind = 'usage' AND e.credits < 0
              AND (e.job_id IS NULL OR get_bit(@set_aside::bytea, hashtext(e.job_id) & (@bits::int - 1)) <> 1)
              AND {{ entry_is_valid }}) side
      GROUP BY 1) bucket
