-- Events of breaks which the log doesn't have.
SELECT e.break_id AS subject_id, e.event || ' on ' || e.business_date AS problem
FROM reconciler.break_events e
WHERE NOT EXISTS (SELECT FROM reconciler.audit_changes a
                  WHERE a.account_id = e.account_id AND a.subject = 'break' AND a.subject_id = e.break_id AND a.change = e.business_date || '/' || e.event_no)
ORDER BY 1, 2
LIMIT @limit::int
