-- In one pass over the night's jobs, for the few that did not succeed or were created before it: failure codes that have not been held
-- against the policy yet, and where jobs stand in the bitmap that an entry older than the night names.
SELECT DISTINCT CASE WHEN j.status <> 'succeeded' AND v.version IS NOT NULL AND f.failure_code IS NULL THEN v.version END AS version,
       CASE WHEN j.status <> 'succeeded' AND v.version IS NOT NULL AND f.failure_code IS NULL THEN v.effective_from END AS effective_from,
       CASE WHEN f.failure_code IS NULL THEN j.status END AS status, CASE WHEN f.failure_code IS NULL THEN coalesce(j.failure_code, '') END AS failure_code,
       CASE WHEN o.named THEN hashtext(j.id) & (@bits::int - 1) END AS bit
FROM (SELECT * FROM {{ valid_jobs }} j
      WHERE j.finished_at >= @begin::timestamptz AND j.finished_at < @end::timestamptz AND (j.status <> 'succeeded' OR j.created_at < @begin::timestamptz)) j
{{ job_class }}
CROSS JOIN LATERAL (SELECT count(*) > 0 AS named FROM source.credit_entries o
                    WHERE j.created_at < @begin::timestamptz AND o.job_id = j.id AND o.created_at < @begin::timestamptz OFFSET 0) o
WHERE o.named OR j.status <> 'succeeded' AND v.version IS NOT NULL AND f.failure_code IS NULL
