-- Nights between the oldest completed one and the newest that nobody ever began.
SELECT d.date
FROM (SELECT min(business_date) AS oldest, max(business_date) AS newest FROM reconciler.runs WHERE job = 'night' AND status = 'completed') n
CROSS JOIN LATERAL (SELECT g::date AS date FROM generate_series(n.oldest, n.newest, interval '1 day') g) d
WHERE NOT EXISTS (SELECT FROM reconciler.runs r WHERE r.job = 'night' AND r.business_date = d.date)
ORDER BY 1
