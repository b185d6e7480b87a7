-- Each night that was ever begun as its last run left it: a rerun that published another revision counts, not the run before it.
(SELECT DISTINCT ON (business_date) business_date, revision, status, error, started_at, finished_at
 FROM reconciler.runs
 WHERE job = 'night'
 ORDER BY business_date, revision DESC)
