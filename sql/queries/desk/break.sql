-- A break with its last values, and how often somebody has worked on it.
SELECT b.break_id, b.kind, b.severity, coalesce(b.closed_as, 'open') AS status, b.account_id, b.subject_type, b.subject_id, b.field, b.opened_on,
       coalesce(b.closed_on, @today::date) - b.opened_on AS age_days, l.ours, l.theirs, l.variance, l.unit, l.detail,
       coalesce(w.owner, '') AS owner, coalesce(w.state, 'open') AS work_state, w.due_on,
       (SELECT count(*) FROM reconciler.break_work d WHERE d.account_id = b.account_id AND d.break_id = b.break_id) AS worked
FROM reconciler.breaks b
CROSS JOIN LATERAL (SELECT e.ours, e.theirs, e.variance, e.unit, e.detail FROM reconciler.break_events e
                    WHERE e.account_id = b.account_id AND e.break_id = b.break_id
                    ORDER BY e.business_date DESC, e.event_no DESC LIMIT 1) l
CROSS JOIN LATERAL {{ break_work_now }} w
WHERE b.break_id = @break_id::text
ORDER BY b.closed_on NULLS FIRST
LIMIT 1
