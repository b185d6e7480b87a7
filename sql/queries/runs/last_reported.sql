-- The latest night that has been reported, whichever nights were run before or after it.
SELECT max(business_date) AS business_date, max(as_of) AS as_of FROM reconciler.runs WHERE job = 'reports' AND status = 'completed'
