-- How many jobs failed or were stopped in the night, counted apart from what is decided about them.
(SELECT count(*) FROM {{ valid_jobs }} j
 WHERE j.finished_at >= @begin::timestamptz AND j.finished_at < @end::timestamptz AND j.status IN ('failed', 'interrupted', 'canceled'))
