INSERT INTO reconciler.payout_tie_outs (business_date, payout_id, currency, status, automatic, method, type, created_at, arrival_date,
    amount_minor, transactions, gross_minor, fee_minor, net_minor, returned_minor, residual_minor, tie_out)
SELECT @date::date, payout_id, currency, status, automatic, method, type, created_at, arrival_date, amount_minor, transactions, gross_minor, fee_minor, net_minor,
       returned_minor, residual_minor, tie_out
FROM json_populate_recordset(NULL::reconciler.payout_tie_outs, @rows::json)
