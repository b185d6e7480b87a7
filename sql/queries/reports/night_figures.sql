-- Figures of the nights in [@from, @to], each with its newest revision. Looked up night by night: a planner that knows nothing of the tables yet
-- would compare every figure with every night.
SELECT f.business_date, f.measure, f.unit, f.value, p.revision
FROM (SELECT business_date, max(revision) AS revision
      FROM reconciler.publications
      WHERE business_date BETWEEN @from::date AND @to::date
      GROUP BY business_date) p
CROSS JOIN LATERAL (SELECT * FROM reconciler.night_figures n WHERE n.business_date = p.business_date OFFSET 0) f
ORDER BY f.business_date, f.measure COLLATE "C", f.unit COLLATE "C"
