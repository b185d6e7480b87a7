-- The latest night that has been reported, whichever nights were run before or after it.
SELECT business_date FROM reconciler.runs WHERE job = 'reports' AND status = 'completed' ORDER BY business_date DESC, revision DESC LIMIT 1
