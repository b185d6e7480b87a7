-- The newest completed night, by its business date: doing an older one again does not move it back. No row before the first.
SELECT business_date, started_at, finished_at
FROM reconciler.runs
WHERE job = 'night' AND status = 'completed'
ORDER BY business_date DESC, revision DESC
LIMIT 1
