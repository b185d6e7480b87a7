INSERT INTO reconciler.runs (business_date, job, revision, status, as_of, worker, code_version, policy_version, started_at)
VALUES (@date::date, @job::text, @revision::int, 'running', @as_of::timestamptz, @worker::text, @code_version::text, @policy_version::text, @at::timestamptz)
ON CONFLICT (business_date, job, revision) DO UPDATE
SET status = 'running', attempt = reconciler.runs.attempt + 1, worker = excluded.worker, code_version = excluded.code_version,
    policy_version = excluded.policy_version, error = '', started_at = excluded.started_at, finished_at = NULL
