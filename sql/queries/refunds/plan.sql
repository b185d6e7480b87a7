SELECT p.plan_id, p.plan_sha256, p.business_date, p.refunds, p.made_by, p.made_at,
       coalesce(a.plan_sha256, '') AS approved_sha256, coalesce(a.approved_by, '') AS approved_by, a.approved_at
FROM reconciler.refund_plans p
LEFT JOIN reconciler.refund_approvals a ON a.plan_id = p.plan_id
WHERE p.plan_id = @plan_id::text
