-- The night's failed, interrupted and canceled jobs.
INSERT INTO reconciler.candidates (business_date, job, account_id, subject_id, in_scan)
SELECT DISTINCT @date::date, @job::text, '', j.id, true
FROM {{ valid_jobs }} j
WHERE j.finished_at >= @begin::timestamptz AND j.finished_at < @end::timestamptz AND j.status IN ('failed', 'interrupted', 'canceled')
ON CONFLICT (business_date, job, account_id, subject_id) DO UPDATE SET in_scan = true
