-- A page or more of charges as Stripe has them now; times are Unix seconds. Who paid is kept only where no purchase says it.
WITH r AS (
    SELECT r.id, r.payment_intent_id, r.invoice_id, r.customer_id, r.metadata_purchase_id, CASE WHEN known.purchase THEN '' ELSE r.email END AS email,
        CASE WHEN known.purchase THEN '{}' ELSE r.metadata::jsonb END AS metadata, r.method, r.amount_minor,
        -- What a payment had brought before it failed was captured, though Stripe says 0 once it has failed; the nights before must not change.
        CASE WHEN r.status = 'failed' AND r.failure_balance_transaction_id <> '' THEN r.amount_minor ELSE r.captured_minor END AS captured_minor,
        r.currency, r.status, r.captured, r.failure_code, r.balance_transaction_id, r.failure_balance_transaction_id, to_timestamp(r.created_at) AS created_at
    FROM unnest(@id::text[], @payment_intent_id::text[], @invoice_id::text[], @customer_id::text[], @metadata_purchase_id::text[], @email::text[],
        @metadata::text[], @method::text[],
        @amount_minor::bigint[], @captured_minor::bigint[], @currency::text[], @status::text[], @captured::boolean[], @failure_code::text[],
        @balance_transaction_id::text[], @failure_balance_transaction_id::text[], @created_at::bigint[])
        AS r(id, payment_intent_id, invoice_id, customer_id, metadata_purchase_id, email, metadata, method, amount_minor, captured_minor, currency, status, captured,
            failure_code, balance_transaction_id, failure_balance_transaction_id, created_at)
    CROSS JOIN LATERAL (SELECT {{ charge_has_purchase }} AS purchase FROM (SELECT r.id, r.payment_intent_id, r.invoice_id, r.metadata_purchase_id) c) known
), changed AS (
    -- Everything here sees the rows as they were before this statement. An authorisation of which nothing is captured yet, or more may be, is a
    -- state of its own, though Stripe calls it succeeded.
    INSERT INTO reconciler.stripe_states (object_id, effective_at, status, seen_at)
    SELECT r.id, coalesce(t.seen_at, r.created_at), s.status, to_timestamp(@seen_at::bigint)
    FROM r LEFT JOIN reconciler.stripe_charges t ON t.id = r.id
    CROSS JOIN LATERAL (SELECT CASE WHEN r.status = 'succeeded' AND NOT r.captured THEN CASE WHEN r.captured_minor = 0 THEN 'uncaptured' ELSE 'partly_captured' END ELSE r.status END AS status,
                               CASE WHEN t.status = 'succeeded' AND NOT t.captured THEN CASE WHEN t.captured_minor = 0 THEN 'uncaptured' ELSE 'partly_captured' END ELSE t.status END AS status_before) s
    WHERE s.status IS DISTINCT FROM s.status_before
    ON CONFLICT DO NOTHING
)
INSERT INTO reconciler.stripe_charges AS t (
    id, payment_intent_id, invoice_id, customer_id, metadata_purchase_id, email, metadata, method, amount_minor, captured_minor, currency, status, captured,
    failure_code, balance_transaction_id, failure_balance_transaction_id, created_at, seen_at
)
SELECT r.id, r.payment_intent_id, r.invoice_id, r.customer_id, r.metadata_purchase_id, r.email, r.metadata, r.method, r.amount_minor, r.captured_minor, r.currency, r.status,
    r.captured, r.failure_code, r.balance_transaction_id, r.failure_balance_transaction_id, r.created_at, to_timestamp(@seen_at::bigint)
FROM r
ON CONFLICT (id) DO UPDATE SET
    payment_intent_id = excluded.payment_intent_id, invoice_id = excluded.invoice_id, metadata_purchase_id = excluded.metadata_purchase_id,
    email = excluded.email, metadata = excluded.metadata,
    captured_minor = greatest(t.captured_minor, excluded.captured_minor), -- a failure later on takes nothing from what was
    status = excluded.status, captured = excluded.captured, failure_code = excluded.failure_code,
    balance_transaction_id = excluded.balance_transaction_id, failure_balance_transaction_id = excluded.failure_balance_transaction_id,
    seen_at = excluded.seen_at
WHERE (t.payment_intent_id, t.invoice_id, t.metadata_purchase_id, t.email, t.metadata, t.captured_minor, t.status, t.captured, t.failure_code, t.balance_transaction_id,
    t.failure_balance_transaction_id)
    IS DISTINCT FROM (excluded.payment_intent_id, excluded.invoice_id, excluded.metadata_purchase_id, excluded.email, excluded.metadata,
        greatest(t.captured_minor, excluded.captured_minor), excluded.status, excluded.captured,
    excluded.failure_code, excluded.balance_transaction_id, excluded.failure_balance_transaction_id)
    OR t.status = 'pending' OR NOT t.captured -- so that seen_at says since when a later change can have happened
