INSERT INTO reconciler.refund_intents (account_id, intent_id, plan_id, request_id, charge_id, state, version)
SELECT account_id, intent_id, plan_id, request_id, charge_id, 'planned', 1
FROM reconciler.refund_plan_items
WHERE plan_id = @plan_id::text
