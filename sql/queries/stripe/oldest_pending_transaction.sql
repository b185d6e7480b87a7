-- Where to begin reading balance transactions again so that those still pending are read too; 0: none is.
SELECT coalesce(extract(epoch FROM min(created_at))::bigint, 0)
FROM reconciler.stripe_balance_transactions
WHERE status <> 'available' AND created_at >= to_timestamp(@since::bigint)
