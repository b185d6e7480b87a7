-- Figures of the nights in [@from, @to], each with its newest revision.
SELECT f.business_date, f.measure, f.unit, f.value, p.revision
FROM reconciler.night_figures f
JOIN (SELECT business_date, max(revision) AS revision
      FROM reconciler.publications
      WHERE business_date BETWEEN @from::date AND @to::date
      GROUP BY business_date) p ON p.business_date = f.business_date
WHERE f.business_date BETWEEN @from::date AND @to::date
ORDER BY f.business_date, f.measure COLLATE "C", f.unit COLLATE "C"
