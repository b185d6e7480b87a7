-- Nobody waits for this to reach the disk: a run that the server forgets when it crashes is one that had not begun, as all that follows goes
-- to disk after it.
INSERT INTO reconciler.runs (business_date, job, revision, status, as_of, worker, code_version, policy_version, started_at)
SELECT @date::date, @job::text, @revision::int, 'running', @as_of::timestamptz, @worker::text, @code_version::text, @policy_version::text, @at::timestamptz
WHERE set_config('synchronous_commit', 'off', true) = 'off'
ON CONFLICT (business_date, job, revision) DO UPDATE
SET status = 'running', attempt = reconciler.runs.attempt + 1, worker = excluded.worker, code_version = excluded.code_version,
    policy_version = excluded.policy_version, error = '', started_at = excluded.started_at, finished_at = NULL
