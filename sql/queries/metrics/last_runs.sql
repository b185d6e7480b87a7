-- When each job of the night last ended, however it ended.
SELECT job, max(finished_at) AS finished_at
FROM reconciler.runs
WHERE job <> 'night' AND finished_at IS NOT NULL
GROUP BY job
