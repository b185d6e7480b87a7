SELECT request_id, account_id, outcome, amount_minor, currency, message
FROM reconciler.notifications
WHERE business_date = @date::date
ORDER BY request_id COLLATE "C", account_id COLLATE "C", outcome COLLATE "C"
