-- The maker goes along so that the database itself can see that the checker is somebody else.
INSERT INTO reconciler.refund_approvals (plan_id, plan_sha256, maker, approved_by, approved_at)
SELECT plan_id, plan_sha256, maker, @approved_by::text, @at::timestamptz
FROM reconciler.refund_plans
WHERE plan_id = @plan_id::text AND plan_sha256 = @plan_sha256::text
