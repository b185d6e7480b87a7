SELECT holder, token, expires_at FROM reconciler.refund_leases WHERE name = @name::text
