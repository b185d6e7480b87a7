-- Refunds that Stripe has made, with what the sync has seen of them by the night.
SELECT m.account_id, m.plan_id, m.intent_id, m.request_id, m.purchase_id, m.charge_id, m.decided_on, m.attempt, m.amount_minor, m.fee_minor, m.currency,
       m.credits, m.clauses, m.policy_version, i.state, i.version, i.hold_entry_id, i.release_entry_id, i.refund_id, i.first_sent_at, i.sent_on,
       r.status AS stripe_status, r.failure_reason
FROM reconciler.refund_intents i
JOIN reconciler.refund_plan_items m ON m.account_id = i.account_id AND m.plan_id = i.plan_id AND m.intent_id = i.intent_id
JOIN {{ refunds_as_of }} r ON r.id = i.refund_id
WHERE (i.state = 'sent' AND r.status IN ('succeeded', 'failed', 'canceled')) OR (i.state = 'settled' AND r.status IN ('failed', 'canceled'))
ORDER BY m.request_id COLLATE "C", m.attempt
