INSERT INTO reconciler.dispute_cases (account_id, business_date, dispute_id, charge_id, purchase_id, account_status, phase, status, reason,
    opened_at, evidence_due_by, amount_minor, currency, withdrawn_minor, returned_minor, fees_minor, settlement_currency, refunded_minor,
    clawback_minor, reinstatement_minor, review_suspension, tie_out)
VALUES (@account_id::text, @date::date, @dispute_id::text, @charge_id::text, @purchase_id::text, @account_status::text, @phase::text,
    @status::text, @reason::text, @opened_at::timestamptz, @evidence_due_by::timestamptz, @amount_minor::bigint, @currency::text,
    @withdrawn_minor::numeric, @returned_minor::numeric, @fees_minor::numeric, @settlement_currency::text, @refunded_minor::numeric,
    @clawback_minor::numeric, @reinstatement_minor::numeric, @review_suspension::boolean, @tie_out::text)
