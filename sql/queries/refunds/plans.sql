-- Newest first. Settled and given-up ones only with @all.
SELECT p.plan_id, p.plan_sha256, p.business_date, p.refunds, p.made_by, p.made_at,
       coalesce(a.plan_sha256, '') AS approved_sha256, coalesce(a.approved_by, '') AS approved_by, a.approved_at, i.planned, i.open, i.paid, i.ended
FROM reconciler.refund_plans p
LEFT JOIN reconciler.refund_approvals a ON a.plan_id = p.plan_id
CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE i.state = 'planned') AS planned, count(*) FILTER (WHERE i.state IN ('sending', 'unknown')) AS open,
                           count(*) FILTER (WHERE i.state IN ('sent', 'settled')) AS paid,
                           count(*) FILTER (WHERE i.state IN ('rejected', 'failed', 'stopped', 'cancelled')) AS ended
                    FROM reconciler.refund_intents i WHERE i.plan_id = p.plan_id) i
WHERE @all::boolean OR i.planned + i.open > 0
ORDER BY p.made_at DESC, p.plan_id
