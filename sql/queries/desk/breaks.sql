-- A page of open breaks, oldest first, after the last one of the page before; filters that are empty don't filter. Only the page's own breaks
-- are looked up in full, so that a page costs the same however many breaks there are.
WITH page AS MATERIALIZED (
    SELECT b.account_id, b.break_id
    FROM reconciler.breaks b
    WHERE b.closed_on IS NULL
      AND (b.opened_on, b.break_id) > (@after_date::date, @after_id::text)
      AND (@kind::text = '' OR b.kind = @kind::text)
      AND (@severity::text = '' OR b.severity = @severity::text)
      AND (@account::text = '' OR b.account_id = @account::text)
      AND (@subject::text = '' OR b.subject_id = @subject::text)
      AND (@owner::text = '' OR b.break_id IN (SELECT w.break_id FROM reconciler.break_work w WHERE w.owner = @owner::text)) -- ever: the newest owner decides below
      AND (@owner::text = '' AND NOT @unowned::boolean
           OR coalesce((SELECT w.owner FROM reconciler.break_work w
                        WHERE w.account_id = b.account_id AND w.break_id = b.break_id AND w.owner IS NOT NULL
                        ORDER BY w.work_no DESC LIMIT 1), '') = @owner::text)
      AND @today::date - b.opened_on >= @min_age::int
    ORDER BY b.opened_on, b.break_id
    LIMIT @most::int
)
SELECT b.break_id, b.kind, b.severity, b.account_id, b.subject_type, b.subject_id, b.opened_on, @today::date - b.opened_on AS age_days,
       l.variance::text AS variance, l.unit, coalesce(w.owner, '') AS owner, coalesce(w.state, 'open') AS work_state, w.due_on, w.notes
FROM page
JOIN reconciler.breaks b ON b.account_id = page.account_id AND b.break_id = page.break_id AND b.closed_on IS NULL
CROSS JOIN LATERAL (SELECT e.variance, e.unit FROM reconciler.break_events e
                    WHERE e.account_id = b.account_id AND e.break_id = b.break_id
                    ORDER BY e.business_date DESC, e.event_no DESC LIMIT 1) l
CROSS JOIN LATERAL {{ break_work_now }} w
ORDER BY b.opened_on, b.break_id
