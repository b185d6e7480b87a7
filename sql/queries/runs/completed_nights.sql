SELECT DISTINCT business_date FROM reconciler.runs
WHERE job = 'night' AND status = 'completed' AND business_date >= @from::date AND business_date <= @to::date
ORDER BY 1
