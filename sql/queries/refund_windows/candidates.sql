-- Accounts with a credit purchase whose window may have been open at opening, opened tonight, or changed state tonight.
INSERT INTO reconciler.candidates (business_date, job, account_id, subject_id)
SELECT @date::date, @job::text, p.account_id, ''
FROM {{ valid_purchases }} p
WHERE p.kind = 'credits' AND p.status = 'completed' AND p.completed_at < @as_of::timestamptz
  AND p.completed_at >= @begin::timestamptz - make_interval(secs => @longest_window_seconds::bigint)
UNION
SELECT @date::date, @job::text, e.account_id, ''
FROM {{ entries_of_night }} e
UNION
SELECT @date::date, @job::text, m.account_id, ''
FROM reconciler.request_matches m
WHERE m.business_date = @date::date AND m.job = @job::text
UNION
SELECT @date::date, @job::text, c.account_id, ''
FROM {{ purchases_set_back }} c
