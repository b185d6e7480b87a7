-- Approved plans with something left to do, in the order of their approval.
SELECT a.plan_id
FROM reconciler.refund_approvals a
WHERE EXISTS (SELECT FROM reconciler.refund_intents i WHERE i.plan_id = a.plan_id AND i.state IN ('planned', 'sending', 'unknown'))
ORDER BY a.approved_at, a.plan_id
