-- The newest night that is done, whichever nights were run before or after it; null when there is none.
SELECT max(business_date) AS business_date FROM reconciler.runs WHERE job = 'night' AND status = 'completed'
