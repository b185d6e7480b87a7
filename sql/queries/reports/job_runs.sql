SELECT job, status
FROM reconciler.runs
WHERE business_date = @date::date AND revision = @revision::int AND job NOT IN ('night', 'reports')
