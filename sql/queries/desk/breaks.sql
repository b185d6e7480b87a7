-- A page of open breaks, oldest first, after the last one of the page before. Only of the page's own breaks the last values are looked up, so
-- that a page costs the same however many breaks there are.
WITH page AS MATERIALIZED (
    SELECT b.account_id, b.break_id, b.kind, b.severity, b.subject_type, b.subject_id, b.opened_on, w.owner, w.state, w.due_on, w.notes
    FROM reconciler.breaks b
    CROSS JOIN LATERAL {{ break_work_now }} w
    WHERE b.closed_on IS NULL
      AND (b.opened_on, b.break_id) > (@after_date::date, @after_id::text)
      AND {{ break_is_asked_for }}
    ORDER BY b.opened_on, b.break_id
    LIMIT @most::int
)
SELECT b.break_id, b.kind, b.severity, b.account_id, b.subject_type, b.subject_id, b.opened_on, @today::date - b.opened_on AS age_days,
       l.variance, l.unit, coalesce(b.owner, '') AS owner, coalesce(b.state, 'open') AS work_state, b.due_on, b.notes
FROM page b
CROSS JOIN LATERAL (SELECT e.variance, e.unit FROM reconciler.break_events e
                    WHERE e.account_id = b.account_id AND e.break_id = b.break_id
                    ORDER BY e.business_date DESC, e.event_no DESC LIMIT 1) l
ORDER BY b.opened_on, b.break_id
