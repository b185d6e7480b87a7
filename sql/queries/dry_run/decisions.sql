-- Requests that the night decides for good.
SELECT request_id, account_id, decision, coalesce(refund_minor, 0) AS refund_minor, currency, credits, clauses
FROM reconciler.refund_decisions
WHERE business_date = @date::date AND decision IN ('approve', 'deny')
ORDER BY decision, request_id COLLATE "C"
