-- Open breaks of an account, oldest first.
SELECT b.break_id AS id, b.kind, b.severity, b.subject_id, b.opened_on, l.variance, l.unit, coalesce(w.owner, '') AS owner
FROM (SELECT * FROM reconciler.breaks b WHERE b.account_id = @account_id::text OFFSET 0) b -- not by age through those of all accounts
CROSS JOIN LATERAL (SELECT e.variance, e.unit FROM reconciler.break_events e WHERE e.account_id = b.account_id AND e.break_id = b.break_id
                    ORDER BY e.business_date DESC, e.event_no DESC LIMIT 1) l
CROSS JOIN LATERAL {{ break_work_now }} w
WHERE b.closed_on IS NULL
ORDER BY b.opened_on, b.break_id
LIMIT @most::int
