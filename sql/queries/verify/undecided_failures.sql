-- Failures of which the night could not say whose they were.
SELECT c.status, c.failure_code, max(c.finished_at) AS finished_at
FROM reconciler.credit_backs c
WHERE c.business_date = @date::date AND c.decision = 'pending' AND c.finished_at < 'infinity'
GROUP BY 1, 2, c.policy_version
ORDER BY c.failure_code COLLATE "C", c.status, 3
