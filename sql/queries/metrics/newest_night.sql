-- The newest completed night, by its business date: doing an older one again does not move it back. No row before the first.
SELECT n.business_date, n.started_at, n.finished_at
FROM {{ nights }} n
WHERE n.status = 'completed'
ORDER BY n.business_date DESC
LIMIT 1
