-- Reviews and acceptances which the log doesn't have, and those and closings that it has otherwise.
SELECT s.period AS subject_id, s.change || CASE WHEN a.detail IS NULL THEN ' is not in the audit log' ELSE ' is in the audit log otherwise: ' || a.detail END AS problem
FROM (SELECT s.*, false AS is_action FROM {{ month_signatures }} s
      UNION ALL
      SELECT '', p.period, p.action_no::text, p.action || ' by ' || p.actor || CASE WHEN p.reason = '' THEN '' ELSE ': ' || p.reason END, true FROM reconciler.periods p) s
LEFT JOIN reconciler.audit_changes a ON a.account_id = s.account_id AND a.subject = 'period' AND a.subject_id = s.period AND a.change = s.change
WHERE a.detail IS DISTINCT FROM s.detail
  AND NOT (s.is_action AND a.detail IS NULL) -- unrecorded_periods names these
ORDER BY s.period, s.change
LIMIT @limit::int
