-- Nights that are not what they should be, oldest first: those whose last run did not complete though they have been reported, or though a
-- later night is completed, and those between completed ones that nobody ever began. A closed month has been looked at and signed.
WITH nights AS MATERIALIZED (SELECT * FROM {{ nights }} n),
done AS (SELECT min(business_date) AS oldest, max(business_date) AS newest FROM nights WHERE status = 'completed'),
troubled AS (
    SELECT n.business_date, n.status, n.error, coalesce(n.business_date < done.newest, false) AS passed
    FROM nights n CROSS JOIN done
    WHERE n.status <> 'completed'
      AND (n.business_date < done.newest
           OR n.status <> 'running' AND EXISTS (SELECT FROM reconciler.publications p WHERE p.business_date = n.business_date))
    UNION ALL
    SELECT d.day::date, 'missing', '', true
    FROM done CROSS JOIN LATERAL generate_series(done.oldest, done.newest, interval '1 day') d (day)
    WHERE NOT EXISTS (SELECT FROM nights n WHERE n.business_date = d.day::date)
)
SELECT t.business_date, t.status, t.error, t.passed
FROM troubled t
WHERE coalesce((SELECT p.action FROM reconciler.periods p WHERE p.period = to_char(t.business_date, 'YYYY-MM') ORDER BY p.action_no DESC LIMIT 1), 'open') <> 'closed'
ORDER BY 1
