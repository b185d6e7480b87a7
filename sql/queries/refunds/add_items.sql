INSERT INTO reconciler.refund_plan_items (account_id, plan_id, intent_id, request_id, purchase_id, charge_id, decided_on, attempt, amount_minor, fee_minor,
                                          currency, credits, clauses, policy_version)
SELECT account_id, plan_id, intent_id, request_id, purchase_id, charge_id, decided_on, attempt, amount_minor, fee_minor, currency, credits, clauses, policy_version
FROM json_populate_recordset(NULL::reconciler.refund_plan_items, @rows::json)
