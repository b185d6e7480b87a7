SELECT request_id, account_id, decision, refund_minor, currency, reasons
FROM reconciler.refund_decisions
WHERE business_date = @date::date
ORDER BY request_id COLLATE "C"
