-- Of the night's jobs, the few that did not succeed or were created before it: failure codes that have not been compared with the policy
-- yet, and jobs that an entry older than the night names.
WITH older AS MATERIALIZED (
    SELECT j.account_id, j.id FROM {{ valid_jobs }} j
    WHERE j.finished_at >= @begin::timestamptz AND j.finished_at < @end::timestamptz AND j.created_at < @begin::timestamptz
), named AS MATERIALIZED (
    SELECT DISTINCT j.account_id, {{ job_subject }} AS job_id
    FROM older j
    CROSS JOIN LATERAL (SELECT o.account_id FROM source.credit_entries o WHERE o.job_id = j.id AND o.created_at < @begin::timestamptz GROUP BY o.account_id) o
), unknown AS MATERIALIZED (
    SELECT DISTINCT v.version, v.effective_from, j.status, coalesce(j.failure_code, '') AS failure_code
    FROM {{ valid_jobs }} j
    {{ job_class }}
    WHERE j.finished_at >= @begin::timestamptz AND j.finished_at < @end::timestamptz AND j.status <> 'succeeded'
      AND v.version IS NOT NULL AND f.failure_code IS NULL
)
SELECT u.version, u.effective_from, u.status, u.failure_code, NULL::text AS account_id, NULL::text AS job_id FROM unknown u
UNION ALL
SELECT NULL, NULL, NULL, NULL, n.account_id, n.job_id FROM named n
