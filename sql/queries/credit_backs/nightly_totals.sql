-- What each of the 30 nights before credited back: the measure of an anomaly.
SELECT coalesce(sum(c.credit_back), 0) AS credits
FROM reconciler.runs r
LEFT JOIN reconciler.credit_backs c ON c.business_date = r.business_date AND c.decision = 'credited'
WHERE r.job = 'credit-backs' AND r.revision = 1 AND r.status = 'completed'
  AND r.business_date >= @date::date - 30 AND r.business_date < @date::date
GROUP BY r.business_date
