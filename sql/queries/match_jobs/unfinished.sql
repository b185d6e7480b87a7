-- Jobs that have not finished: those that have been queued or running for longer than the limit are findings, looked for afresh every night, whatever
-- the night of their creation. Which of the two it was is not told: the platform keeps the latest status only, and a rerun must say the same. Returns
-- how many there are, young ones and stuck ones apart, and how many jobs of other nights are looked at again.
WITH unfinished AS MATERIALIZED (
    SELECT j.account_id, j.id, j.created_at, j.created_at < @as_of::timestamptz - make_interval(secs => @stuck_after_seconds::int) AS is_stuck
    -- Looked up twice by when jobs have finished, the second time between two ends: else a planner reads all that were ever created.
    FROM (SELECT j.* FROM {{ valid_jobs }} j WHERE j.finished_at IS NULL
          UNION ALL
          SELECT j.* FROM {{ valid_jobs }} j WHERE j.finished_at >= @as_of::timestamptz AND j.finished_at <= timestamptz '2199-12-31 23:59:59Z') j
    WHERE j.created_at < @as_of::timestamptz
), stuck AS (
    INSERT INTO reconciler.findings (account_id, business_date, job, kind, subject_id, field, ours, theirs, variance, unit, detail)
    SELECT j.account_id, @date::date, @job::text, 'job_stuck', j.id, 'status', 'unfinished', '', 0, '',
           'unfinished since ' || to_char(j.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
    FROM unfinished j
    WHERE j.is_stuck
), again AS MATERIALIZED (
    SELECT count(*) AS jobs FROM reconciler.candidates c WHERE c.business_date = @date::date AND c.job = @job::text AND c.account_id = ''
)
SELECT count(*) AS unfinished, count(*) FILTER (WHERE NOT is_stuck) AS young, count(*) FILTER (WHERE is_stuck) AS stuck,
       (SELECT jobs FROM again) AS again
FROM unfinished
