-- Figures of the nights before a date, newest first, so many of them.
SELECT f.business_date, f.measure, f.unit, f.value, p.revision
FROM (SELECT business_date, max(revision) AS revision
      FROM reconciler.publications
      WHERE business_date < @before::date
      GROUP BY business_date ORDER BY business_date DESC LIMIT @most::int) p
CROSS JOIN LATERAL (SELECT * FROM reconciler.night_figures n WHERE n.business_date = p.business_date OFFSET 0) f
ORDER BY f.business_date, f.measure COLLATE "C", f.unit COLLATE "C"
