-- Months that were closed at @at, and the newest night that had been reported by then.
SELECT p.period, {{ reported_at_closing }} AS through
FROM (SELECT DISTINCT ON (period) period, action, at FROM reconciler.periods WHERE at <= @at::timestamptz ORDER BY period, action_no DESC) p
WHERE p.action = 'closed'
ORDER BY 1
