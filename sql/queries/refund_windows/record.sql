INSERT INTO reconciler.refund_windows (account_id, purchase_id, business_date, completed_at, expires_at, state, state_before, credits, used_credits,
                                       amount_minor, fee_minor, refundable_minor, currency, policy_version)
SELECT account_id, purchase_id, @date::date, completed_at, expires_at, state, state_before, credits, used_credits,
       amount_minor, fee_minor, refundable_minor, currency, policy_version
FROM json_populate_recordset(NULL::reconciler.refund_windows, @rows::json)
