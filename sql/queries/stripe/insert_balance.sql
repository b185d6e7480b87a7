INSERT INTO reconciler.stripe_balances (taken_at, currency, available_minor, pending_minor)
SELECT to_timestamp(@taken_at::bigint), r.currency, r.available_minor, r.pending_minor
FROM unnest(@currency::text[], @available_minor::bigint[], @pending_minor::bigint[]) AS r(currency, available_minor, pending_minor)
ON CONFLICT (taken_at, currency) DO UPDATE SET available_minor = excluded.available_minor, pending_minor = excluded.pending_minor
