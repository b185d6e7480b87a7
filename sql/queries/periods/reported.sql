-- Nights of the period that have been reported, and whether there are older ones: before the very first night there is nothing to report.
SELECT r.business_date, r.business_date < @from::date AS before
FROM (SELECT DISTINCT business_date FROM reconciler.runs WHERE job = 'reports' AND status = 'completed' AND business_date <= @to::date) r
WHERE r.business_date >= @from::date
   OR r.business_date = (SELECT max(o.business_date) FROM reconciler.runs o WHERE o.job = 'reports' AND o.status = 'completed' AND o.business_date < @from::date)
ORDER BY 1
