SELECT payout_id, currency, status, automatic, method, type, created_at, arrival_date, amount_minor, transactions, gross_minor, fee_minor,
       net_minor, returned_minor, residual_minor, tie_out
FROM reconciler.payout_tie_outs
WHERE business_date = @date::date
ORDER BY payout_id COLLATE "C"
