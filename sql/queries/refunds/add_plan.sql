INSERT INTO reconciler.refund_plans (plan_id, plan_sha256, business_date, refunds, made_by, made_at)
VALUES (@plan_id::text, @plan_sha256::text, @date::date, @refunds::int, @made_by::text, @at::timestamptz)
