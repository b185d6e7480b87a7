-- Jobs that credit-backs decides about: all that failed or were stopped in the night, and the candidates, of earlier nights or credited back by
-- others. Those are looked up by an array of their ids, which no planner makes a set of.
(SELECT j.*, true AS in_scan
 FROM {{ valid_jobs }} j
 WHERE j.finished_at >= @begin::timestamptz AND j.finished_at < @as_of::timestamptz AND j.status IN ('failed', 'interrupted', 'canceled')
 UNION ALL
 SELECT j.*, c.in_scan
 FROM (SELECT c.in_scan, array_agg(c.subject_id) AS ids FROM reconciler.candidates c WHERE c.business_date = @date::date AND c.job = @job::text GROUP BY 1) c
 JOIN {{ valid_jobs }} j ON j.id = ANY (c.ids)
 WHERE (j.finished_at >= @begin::timestamptz AND j.finished_at < @as_of::timestamptz AND j.status IN ('failed', 'interrupted', 'canceled')) IS NOT TRUE)
