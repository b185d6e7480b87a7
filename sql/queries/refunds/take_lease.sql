-- Only when nobody has it, or whoever had it let it expire. The token is new every time.
INSERT INTO reconciler.refund_leases (name, holder, token, expires_at)
VALUES (@name::text, @holder::text, 1, @expires_at::timestamptz)
ON CONFLICT (name) DO UPDATE
SET holder = excluded.holder, token = reconciler.refund_leases.token + 1, expires_at = excluded.expires_at
WHERE reconciler.refund_leases.expires_at <= @now::timestamptz
