-- Breaks that are open at the end of night @date, with who works on each and the last note, as of @noted_by.
SELECT b.break_id, b.kind, b.severity, 'open' AS status, b.account_id, b.subject_type, b.subject_id, b.field, l.ours, l.theirs, l.variance, l.unit,
       b.opened_on AS first_seen, @date::date AS last_seen, @date::date - b.opened_on AS age_days, l.detail,
       coalesce(w.owner, '') AS owner, coalesce(w.state, 'open') AS state, w.due_on, coalesce(w.note, '') AS note
FROM reconciler.breaks b
CROSS JOIN LATERAL (
    SELECT e.ours, e.theirs, e.variance, e.unit, e.detail
    FROM reconciler.break_events e
    WHERE e.account_id = b.account_id AND e.break_id = b.break_id AND e.business_date <= @date::date AND e.event <> 'resolved'
    ORDER BY e.business_date DESC, e.event_no DESC
    LIMIT 1) l
CROSS JOIN LATERAL (
    SELECT (array_agg(w.owner ORDER BY w.work_no DESC) FILTER (WHERE w.owner IS NOT NULL))[1] AS owner,
           (array_agg(w.state ORDER BY w.work_no DESC) FILTER (WHERE w.state IS NOT NULL))[1] AS state,
           (array_agg(w.due_on ORDER BY w.work_no DESC) FILTER (WHERE w.due_on IS NOT NULL))[1] AS due_on,
           (array_agg(w.note ORDER BY w.work_no DESC) FILTER (WHERE w.note <> ''))[1] AS note
    FROM reconciler.break_work w
    WHERE w.account_id = b.account_id AND w.break_id = b.break_id AND w.at <= @noted_by::timestamptz) w
WHERE b.opened_on <= @date::date AND (b.closed_on IS NULL OR b.closed_on > @date::date)
  AND {{ newest_episode }}
ORDER BY b.break_id COLLATE "C", b.account_id COLLATE "C"
