-- Failure codes of the jobs under examination that have not been compared with the policy yet.
-- DISTINCT ON: looked up one by one, whatever the planner thinks of a table that was filled a moment ago.
SELECT DISTINCT v.version, v.effective_from, j.status, coalesce(j.failure_code, '') AS failure_code
FROM {{ subjects }} s
CROSS JOIN LATERAL (SELECT DISTINCT ON (j.account_id, j.id) j.* FROM {{ valid_jobs }} j WHERE j.id = s.subject_id) j
{{ job_class }}
WHERE j.status IN ('failed', 'interrupted', 'canceled') AND j.finished_at < @as_of::timestamptz
  AND v.version IS NOT NULL AND f.failure_code IS NULL
ORDER BY 1, 3, 4
