-- Nights that were begun, are not completed, and have a completed one after them: no schedule comes back to these. Oldest first.
SELECT r.business_date, r.status, r.error
FROM reconciler.runs r
WHERE r.job = 'night' AND r.status <> 'completed'
  AND r.revision = (SELECT max(n.revision) FROM reconciler.runs n WHERE n.job = 'night' AND n.business_date = r.business_date)
  AND r.business_date < (SELECT max(c.business_date) FROM reconciler.runs c WHERE c.job = 'night' AND c.status = 'completed')
ORDER BY r.business_date
