-- The newest changes of the log, for people.
SELECT l.link, l.at, l.actor, l.run, c.subject, c.subject_id, c.change, c.detail
FROM reconciler.audit_links l
JOIN reconciler.audit_changes c ON c.link = l.link
WHERE @subject_id::text = '' OR c.subject_id = @subject_id::text
ORDER BY l.link DESC, c.change_no DESC
LIMIT @limit::int
