-- Where nights ended that were begun, whole or job by job.
SELECT business_date, as_of FROM reconciler.runs GROUP BY business_date, as_of ORDER BY business_date, min(started_at), as_of
