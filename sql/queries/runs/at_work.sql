-- What was begun last and has not ended: what a worker that holds a lock is at, if it still lives.
SELECT worker, business_date, job, started_at
FROM reconciler.runs
WHERE status = 'running'
ORDER BY started_at DESC, job = 'night'
LIMIT 1
