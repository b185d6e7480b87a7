-- A job begins, and the one before it, if any, has ended.
-- Nobody waits for this to reach the disk: a run that the server forgets when it crashes is one that had not begun, as all that follows goes
-- to disk after it; and one whose end it forgets is done again.
WITH ended AS (
    UPDATE reconciler.runs
    SET status = @status::text, counts = @counts::jsonb, error = @error::text, finished_at = @ended_at::timestamptz
    WHERE business_date = @date::date AND job = @ended::text AND revision = @revision::int
)
INSERT INTO reconciler.runs (business_date, job, revision, status, as_of, worker, code_version, policy_version, started_at)
SELECT @date::date, @job::text, @revision::int, 'running', @as_of::timestamptz, @worker::text, @code_version::text, @policy_version::text, @began_at::timestamptz
WHERE set_config('synchronous_commit', 'off', true) = 'off'
ON CONFLICT (business_date, job, revision) DO UPDATE
SET status = 'running', attempt = reconciler.runs.attempt + 1, worker = excluded.worker, code_version = excluded.code_version,
    policy_version = excluded.policy_version, error = '', started_at = excluded.started_at, finished_at = NULL
