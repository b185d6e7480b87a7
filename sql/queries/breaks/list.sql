-- Breaks as they are now, oldest first. Age counts from the first night to @today.
SELECT b.break_id, b.kind, b.severity, coalesce(b.closed_as, 'open') AS status, b.account_id, b.subject_type, b.subject_id, b.field, b.opened_on, b.closed_on,
       coalesce(b.closed_on, @today::date) - b.opened_on AS age_days,
       l.ours, l.theirs, l.variance, l.unit, l.detail,
       coalesce(w.owner, '') AS owner, CASE WHEN b.closed_on IS NULL THEN coalesce(w.state, 'open') ELSE '' END AS work_state, w.due_on, w.notes
FROM reconciler.breaks b
CROSS JOIN LATERAL (SELECT e.ours, e.theirs, e.variance, e.unit, e.detail FROM reconciler.break_events e
                    WHERE e.account_id = b.account_id AND e.break_id = b.break_id
                    ORDER BY e.business_date DESC, e.event_no DESC LIMIT 1) l
CROSS JOIN LATERAL {{ break_work_now }} w
WHERE (@all::boolean OR b.closed_on IS NULL)
  AND {{ break_is_asked_for }}
  AND (@break_id::text = '' OR b.break_id = @break_id::text)
ORDER BY b.opened_on, b.break_id
