-- Of the night's jobs, the few that did not succeed or were created before it: failure codes that have not been held against the policy
-- yet, and jobs that an entry older than the night names.
SELECT DISTINCT CASE WHEN u.unknown THEN v.version END AS version, CASE WHEN u.unknown THEN v.effective_from END AS effective_from,
       CASE WHEN u.unknown THEN j.status END AS status, CASE WHEN u.unknown THEN coalesce(j.failure_code, '') END AS failure_code,
       CASE WHEN o.named THEN j.account_id END AS account_id, CASE WHEN o.named THEN {{ job_subject }} END AS job_id
FROM (SELECT * FROM {{ valid_jobs }} j
      WHERE j.finished_at >= @begin::timestamptz AND j.finished_at < @end::timestamptz AND (j.status <> 'succeeded' OR j.created_at < @begin::timestamptz)) j
{{ job_class }}
CROSS JOIN LATERAL (SELECT j.status <> 'succeeded' AND v.version IS NOT NULL AND f.failure_code IS NULL AS unknown) u
CROSS JOIN LATERAL (SELECT count(*) > 0 AS named FROM source.credit_entries o
                    WHERE j.created_at < @begin::timestamptz AND o.job_id = j.id AND o.created_at < @begin::timestamptz OFFSET 0) o
WHERE o.named OR u.unknown
