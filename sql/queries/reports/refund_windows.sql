SELECT purchase_id, account_id, completed_at, expires_at, state, credits, used_credits, amount_minor, fee_minor, refundable_minor, currency
FROM reconciler.refund_windows
WHERE business_date = @date::date
ORDER BY purchase_id COLLATE "C", account_id COLLATE "C"
