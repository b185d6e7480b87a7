-- Also what fences every write: the row stays locked until the writing transaction ends, so that nobody can take the lease meanwhile.
UPDATE reconciler.refund_leases SET expires_at = @expires_at::timestamptz WHERE name = @name::text AND token = @token::bigint
