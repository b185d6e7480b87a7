-- What the decision follows from about each job that failed or was stopped in the night, and about the candidates. A job that this night has
-- credited already is settled.
SELECT j.account_id, j.id AS job_id, j.kind, CASE WHEN j.finished_at >= @as_of::timestamptz THEN 'running' ELSE j.status END AS status,
       coalesce(j.failure_code, '') AS failure_code, CASE WHEN j.finished_at < @as_of::timestamptz THEN j.finished_at END AS finished_at, j.in_scan,
       coalesce(v.version, '') AS version, coalesce(f.class, 'unknown') AS class, coalesce(f.rule, '') AS rule, coalesce(f.reason, '') AS reason,
       least(coalesce(e.debited, 0), 9223372036854775807)::bigint AS debited,
       least(coalesce(e.credited_before, 0), 9223372036854775807)::bigint AS credited_before,
       least(coalesce(e.credited_ever, 0), 9223372036854775807)::bigint AS credited_ever,
       least(greatest(coalesce(e.debited_elsewhere, 0), 0), 9223372036854775807)::bigint AS debited_elsewhere,
       coalesce(e.credited_by_others, 0)::text AS credited_by_others
FROM (SELECT j.*, true AS in_scan
      FROM {{ valid_jobs }} j
      WHERE j.finished_at >= @begin::timestamptz AND j.finished_at < @as_of::timestamptz AND j.status IN ('failed', 'interrupted', 'canceled')
      UNION ALL
      -- All others, one by one: of earlier nights, or credited back by others.
      SELECT j.*, c.in_scan
      FROM (SELECT c.subject_id, c.in_scan FROM reconciler.candidates c WHERE c.business_date = @date::date AND c.job = @job::text OFFSET 0) c
      CROSS JOIN LATERAL (SELECT * FROM {{ valid_jobs }} j WHERE j.id = c.subject_id OFFSET 0) j
      WHERE (j.finished_at >= @begin::timestamptz AND j.finished_at < @as_of::timestamptz AND j.status IN ('failed', 'interrupted', 'canceled')) IS NOT TRUE) j
{{ job_class }}
LEFT JOIN LATERAL (
    SELECT -sum(n.credits) FILTER (WHERE n.own AND n.kind IN ('usage', 'adjustment') AND n.effective_at < @as_of::timestamptz) AS debited,
           sum(n.credits) FILTER (WHERE n.own AND n.kind = 'credit_back' AND n.effective_at < @as_of::timestamptz) AS credited_before,
           sum(n.credits) FILTER (WHERE n.own AND n.kind = 'credit_back') AS credited_ever,
           -sum(n.credits) FILTER (WHERE NOT n.own AND n.kind IN ('usage', 'adjustment') AND n.effective_at < @as_of::timestamptz) AS debited_elsewhere,
           sum(n.credits) FILTER (WHERE n.by_others AND n.effective_at >= @begin::timestamptz AND n.effective_at < @as_of::timestamptz) AS credited_by_others
    FROM (SELECT e.*, e.account_id = j.account_id AS own, {{ credited_by_others }} AS by_others FROM {{ entries }} e WHERE e.job_id = j.id OFFSET 0) n) e ON true
-- Not in a set: it is made once, whatever the planner thinks of a table that fills while pages are fetched.
WHERE (j.finished_at < @as_of::timestamptz OR j.in_scan AND j.created_at < @as_of::timestamptz)
  AND (j.account_id, j.id) NOT IN (SELECT d.account_id, d.job_id FROM reconciler.credit_backs d WHERE d.business_date = @date::date AND d.decision = 'credited')
