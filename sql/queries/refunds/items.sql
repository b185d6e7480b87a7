SELECT m.account_id, m.plan_id, m.intent_id, m.request_id, m.purchase_id, m.charge_id, m.decided_on, m.attempt, m.amount_minor, m.fee_minor, m.currency,
       m.credits, m.clauses, m.policy_version, i.state, i.version, i.hold_entry_id, i.release_entry_id, i.refund_id, i.first_sent_at, i.sent_on,
       coalesce(e.reason, '') AS reason
FROM reconciler.refund_plan_items m
JOIN reconciler.refund_intents i ON i.account_id = m.account_id AND i.plan_id = m.plan_id AND i.intent_id = m.intent_id
LEFT JOIN reconciler.refund_events e ON e.account_id = i.account_id AND e.intent_id = i.intent_id AND e.event_no = i.version
WHERE m.plan_id = @plan_id::text
ORDER BY m.request_id COLLATE "C", m.attempt
