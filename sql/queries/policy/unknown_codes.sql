-- Failure codes of the jobs under examination that have not been held against the policy yet.
SELECT DISTINCT v.version, v.effective_from, j.status, coalesce(j.failure_code, '') AS failure_code
FROM {{ subjects }} s
JOIN {{ valid_jobs }} j ON j.id = s.subject_id
{{ job_class }}
WHERE j.status IN ('failed', 'interrupted', 'canceled') AND j.finished_at < @as_of::timestamptz
  AND v.version IS NOT NULL AND f.failure_code IS NULL
ORDER BY 1, 3, 4
