-- What approved plans still have to send, in the order in which they would be executed.
SELECT a.plan_id, a.approved_by, m.currency, count(*) AS refunds, sum(m.amount_minor) AS amount_minor, sum(m.credits) AS credits
FROM reconciler.refund_approvals a
JOIN reconciler.refund_intents i ON i.plan_id = a.plan_id AND i.state IN ('planned', 'sending', 'unknown')
JOIN reconciler.refund_plan_items m ON m.account_id = i.account_id AND m.plan_id = i.plan_id AND m.intent_id = i.intent_id
GROUP BY a.plan_id, a.approved_by, a.approved_at, m.currency
ORDER BY a.approved_at, a.plan_id, m.currency
