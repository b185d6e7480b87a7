-- Counted apart from what is decided about them: the other side of the control total.
SELECT count(*)::text
FROM {{ valid_jobs }} j
WHERE j.finished_at >= @begin::timestamptz AND j.finished_at < @end::timestamptz AND j.status IN ('failed', 'interrupted', 'canceled')
