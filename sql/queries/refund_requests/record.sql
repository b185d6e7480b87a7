INSERT INTO reconciler.refund_decisions (account_id, request_id, business_date, kind, status, purchase_id, job_id, charge_id, requested_at, due_date, days_left, decision,
                                         refund_minor, fee_minor, currency, credits, clauses, reasons, policy_version, decided_at)
SELECT account_id, request_id, @date::date, kind, status, purchase_id, job_id, charge_id, requested_at, due_date, days_left, decision,
       refund_minor, fee_minor, currency, credits, clauses, reasons, policy_version, @as_of::timestamptz
FROM json_populate_recordset(NULL::reconciler.refund_decisions, @rows::json)
