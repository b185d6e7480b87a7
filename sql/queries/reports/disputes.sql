SELECT dispute_id, account_id, purchase_id, charge_id, phase, status, reason, opened_at, evidence_due_by, amount_minor, currency, withdrawn_minor,
       returned_minor, fees_minor, settlement_currency, refunded_minor, clawback_minor, reinstatement_minor, account_status, review_suspension, tie_out
FROM reconciler.dispute_cases
WHERE business_date = @date::date
ORDER BY dispute_id COLLATE "C", account_id COLLATE "C"
