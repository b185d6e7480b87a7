-- The months that have nights, newest first, and what was last done to each.
SELECT m.period, m.nights, coalesce(a.action, 'open') AS state, coalesce(a.actor, '') AS actor, a.at
FROM (SELECT to_char(p.business_date, 'YYYY-MM') AS period, count(DISTINCT p.business_date) AS nights
      FROM reconciler.publications p GROUP BY 1) m
LEFT JOIN LATERAL (SELECT d.action, d.actor, d.at FROM reconciler.periods d WHERE d.period = m.period ORDER BY d.action_no DESC LIMIT 1) a ON true
ORDER BY m.period DESC
