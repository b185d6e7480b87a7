-- Closings and reopenings which the log doesn't have.
SELECT p.period AS subject_id, p.action AS problem
FROM reconciler.periods p
WHERE NOT EXISTS (SELECT FROM reconciler.audit_changes a WHERE a.account_id = '' AND a.subject = 'period' AND a.subject_id = p.period AND a.change = p.action_no::text)
ORDER BY p.period, p.action_no
LIMIT @limit::int
