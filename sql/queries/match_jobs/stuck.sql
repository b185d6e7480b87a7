-- Queued or running for longer than the limit: looked for afresh every night, whatever the night of their creation. Which of the two it was is not
-- told: the platform keeps the latest status only, and a rerun must say the same.
INSERT INTO reconciler.findings (account_id, business_date, job, kind, subject_id, field, ours, theirs, variance, unit, detail)
SELECT j.account_id, @date::date, @job::text, 'job_stuck', j.id, 'status', 'unfinished', '', 0, '',
       'unfinished since ' || to_char(j.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
FROM {{ valid_jobs }} j
WHERE (j.finished_at IS NULL OR j.finished_at >= @as_of::timestamptz)
  AND j.created_at < @as_of::timestamptz - make_interval(secs => @stuck_after_seconds::int)
