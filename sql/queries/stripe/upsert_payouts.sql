-- A page or more of payouts as Stripe has them now; times are Unix seconds.
WITH r AS (
    SELECT r.id, r.amount_minor, r.currency, r.status, r.automatic, r.method, r.type, r.reconciliation_status, r.balance_transaction_id,
        r.failure_balance_transaction_id, r.failure_code, r.original_payout_id, r.reversed_by_id, to_timestamp(r.arrival_at) AS arrival_at,
        to_timestamp(r.created_at) AS created_at
    FROM unnest(@id::text[], @amount_minor::bigint[], @currency::text[], @status::text[], @automatic::boolean[], @method::text[], @type::text[],
        @reconciliation_status::text[], @balance_transaction_id::text[], @failure_balance_transaction_id::text[], @failure_code::text[],
        @original_payout_id::text[], @reversed_by_id::text[], @arrival_at::bigint[], @created_at::bigint[])
        AS r(id, amount_minor, currency, status, automatic, method, type, reconciliation_status, balance_transaction_id,
            failure_balance_transaction_id, failure_code, original_payout_id, reversed_by_id, arrival_at, created_at)
), changed AS (
    -- Everything here sees the rows as they were before this statement.
    INSERT INTO reconciler.stripe_states (object_id, effective_at, status, seen_at)
    SELECT r.id, coalesce(t.seen_at, r.created_at), r.status, to_timestamp(@seen_at::bigint)
    FROM r LEFT JOIN reconciler.stripe_payouts t ON t.id = r.id
    WHERE t.status IS DISTINCT FROM r.status
    ON CONFLICT DO NOTHING
)
INSERT INTO reconciler.stripe_payouts AS t (
    id, amount_minor, currency, status, automatic, method, type, reconciliation_status, balance_transaction_id, failure_balance_transaction_id,
    failure_code, original_payout_id, reversed_by_id, arrival_at, created_at, seen_at
)
SELECT r.id, r.amount_minor, r.currency, r.status, r.automatic, r.method, r.type, r.reconciliation_status, r.balance_transaction_id,
    r.failure_balance_transaction_id, r.failure_code, r.original_payout_id, r.reversed_by_id, r.arrival_at, r.created_at,
    to_timestamp(@seen_at::bigint)
FROM r
ON CONFLICT (id) DO UPDATE SET
    status = excluded.status, reconciliation_status = excluded.reconciliation_status, balance_transaction_id = excluded.balance_transaction_id,
    failure_balance_transaction_id = excluded.failure_balance_transaction_id, failure_code = excluded.failure_code,
    reversed_by_id = excluded.reversed_by_id, arrival_at = excluded.arrival_at, seen_at = excluded.seen_at
WHERE (t.status, t.reconciliation_status, t.balance_transaction_id, t.failure_balance_transaction_id, t.failure_code, t.reversed_by_id, t.arrival_at)
    IS DISTINCT FROM (excluded.status, excluded.reconciliation_status, excluded.balance_transaction_id, excluded.failure_balance_transaction_id, excluded.failure_code,
    excluded.reversed_by_id, excluded.arrival_at)
    OR t.status NOT IN ('failed', 'canceled') -- so that seen_at says since when a later change can have happened
