INSERT INTO reconciler.dispute_cases (account_id, business_date, dispute_id, charge_id, purchase_id, account_status, phase, status, reason,
    opened_at, evidence_due_by, amount_minor, currency, withdrawn_minor, returned_minor, fees_minor, settlement_currency, refunded_minor,
    clawback_minor, reinstatement_minor, review_suspension, tie_out)
SELECT account_id, @date::date, dispute_id, charge_id, purchase_id, account_status, phase, status, reason, opened_at, evidence_due_by, amount_minor, currency,
       withdrawn_minor, returned_minor, fees_minor, settlement_currency, refunded_minor, clawback_minor, reinstatement_minor, review_suspension, tie_out
FROM json_populate_recordset(NULL::reconciler.dispute_cases, @rows::json)
