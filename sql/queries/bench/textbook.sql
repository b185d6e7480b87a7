-- What a good hand would write to reconcile a night: its jobs against its debits by job, and what differs. The measure that the worker is
-- compared with; it says nothing of rows that break the contract, failures, late entries, nor of anything but the debits.
SELECT coalesce(j.account_id, d.account_id) AS account_id, coalesce(j.id, d.job_id) AS job_id, j.credit_cost AS cost, d.debited AS debited
FROM (SELECT id, account_id, credit_cost
      FROM source.jobs
      WHERE finished_at >= @begin::timestamptz AND finished_at < @end::timestamptz) j
FULL JOIN (SELECT account_id, job_id, -sum(credits) AS debited
           FROM source.credit_entries
           WHERE created_at >= @begin::timestamptz AND created_at < @end::timestamptz AND kind IN ('usage', 'adjustment') AND job_id IS NOT NULL
           GROUP BY 1, 2) d ON d.job_id = j.id AND d.account_id = j.account_id
WHERE coalesce(j.credit_cost, 0) <> coalesce(d.debited, 0) OR j.id IS NULL
