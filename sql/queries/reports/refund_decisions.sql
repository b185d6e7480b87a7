SELECT request_id, account_id, purchase_id, job_id, requested_at, due_date, decision, refund_minor, currency, clauses, reasons, days_left
FROM reconciler.refund_decisions
WHERE business_date = @date::date
ORDER BY request_id COLLATE "C", account_id COLLATE "C"
