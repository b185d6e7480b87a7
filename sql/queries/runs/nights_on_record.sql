-- The newest night that is done, whichever nights were run before or after it, and the oldest that was ever begun; nulls when there is none.
SELECT max(business_date) FILTER (WHERE status = 'completed') AS completed, min(business_date) AS begun
FROM reconciler.runs
WHERE job = 'night'
