-- The months that have nights, newest first, how each stands, who signed it last, and whether it has a published page.
SELECT m.period, m.nights, CASE WHEN r.at IS NOT NULL THEN 'reviewed' ELSE coalesce(a.action, 'open') END AS state,
       coalesce(r.reviewed_by, a.actor, '') AS actor, coalesce(r.at, a.at) AS at,
       EXISTS (SELECT FROM reconciler.month_publications b WHERE b.period = m.period) AS page
FROM (SELECT to_char(p.business_date, 'YYYY-MM') AS period, count(DISTINCT p.business_date) AS nights
      FROM reconciler.publications p GROUP BY 1) m
LEFT JOIN LATERAL (SELECT d.action_no, d.action, d.actor, d.at FROM reconciler.periods d WHERE d.period = m.period ORDER BY d.action_no DESC LIMIT 1) a ON true
LEFT JOIN reconciler.period_reviews r ON r.period = m.period AND r.action_no = a.action_no
ORDER BY m.period DESC
