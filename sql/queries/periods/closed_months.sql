-- Months that were closed at @at.
SELECT period
FROM (SELECT DISTINCT ON (period) period, action FROM reconciler.periods WHERE at <= @at::timestamptz ORDER BY period, action_no DESC) p
WHERE action = 'closed'
ORDER BY 1
