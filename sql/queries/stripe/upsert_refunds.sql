-- A page or more of refunds as Stripe has them now; times are Unix seconds.
WITH r AS (
    SELECT r.id, r.charge_id, r.payment_intent_id, r.amount_minor, r.currency, r.status, r.reason, r.failure_reason, r.balance_transaction_id,
        r.failure_balance_transaction_id, to_timestamp(r.created_at) AS created_at
    FROM unnest(@id::text[], @charge_id::text[], @payment_intent_id::text[], @amount_minor::bigint[], @currency::text[], @status::text[], @reason::text[],
        @failure_reason::text[], @balance_transaction_id::text[], @failure_balance_transaction_id::text[], @created_at::bigint[])
        AS r(id, charge_id, payment_intent_id, amount_minor, currency, status, reason, failure_reason, balance_transaction_id,
            failure_balance_transaction_id, created_at)
), changed AS (
    -- Everything here sees the rows as they were before this statement.
    INSERT INTO reconciler.stripe_states (object_id, effective_at, status, seen_at)
    SELECT r.id, coalesce(t.seen_at, r.created_at), r.status, to_timestamp(@seen_at::bigint)
    FROM r LEFT JOIN reconciler.stripe_refunds t ON t.id = r.id
    WHERE t.status IS DISTINCT FROM r.status
    ON CONFLICT DO NOTHING
)
INSERT INTO reconciler.stripe_refunds AS t (
    id, charge_id, payment_intent_id, amount_minor, currency, status, reason, failure_reason, balance_transaction_id, failure_balance_transaction_id,
    created_at, seen_at
)
SELECT r.id, r.charge_id, r.payment_intent_id, r.amount_minor, r.currency, r.status, r.reason, r.failure_reason, r.balance_transaction_id,
    r.failure_balance_transaction_id, r.created_at, to_timestamp(@seen_at::bigint)
FROM r
ON CONFLICT (id) DO UPDATE SET
    status = excluded.status, failure_reason = excluded.failure_reason, balance_transaction_id = excluded.balance_transaction_id,
    failure_balance_transaction_id = excluded.failure_balance_transaction_id, seen_at = excluded.seen_at
WHERE (t.status, t.failure_reason, t.balance_transaction_id, t.failure_balance_transaction_id)
    IS DISTINCT FROM (excluded.status, excluded.failure_reason, excluded.balance_transaction_id, excluded.failure_balance_transaction_id)
    OR t.status NOT IN ('failed', 'canceled') -- so that seen_at says since when a later change can have happened
