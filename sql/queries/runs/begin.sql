-- A job begins, and the one before it, if any, has ended.
-- It need not have reached the disk before the work goes on. All that follows is written after it: where the server forgets a beginning in a crash,
-- nothing of the run is there, and a run whose end it forgets is done again.
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
