-- A page or more of payment intents as Stripe has them now; times are Unix seconds.
WITH r AS (
    SELECT r.id, r.amount_minor, r.received_minor, r.currency, r.status, r.latest_charge_id, r.invoice_id, r.metadata_purchase_id,
        to_timestamp(nullif(r.canceled_at, 0)) AS canceled_at, to_timestamp(r.created_at) AS created_at
    FROM unnest(@id::text[], @amount_minor::bigint[], @received_minor::bigint[], @currency::text[], @status::text[], @latest_charge_id::text[],
        @invoice_id::text[], @metadata_purchase_id::text[], @canceled_at::bigint[], @created_at::bigint[])
        AS r(id, amount_minor, received_minor, currency, status, latest_charge_id, invoice_id, metadata_purchase_id, canceled_at, created_at)
), changed AS (
    -- Everything here sees the rows as they were before this statement.
    INSERT INTO reconciler.stripe_states (object_id, effective_at, status, seen_at)
    SELECT r.id, coalesce(t.seen_at, r.created_at), r.status, to_timestamp(@seen_at::bigint)
    FROM r LEFT JOIN reconciler.stripe_payment_intents t ON t.id = r.id
    WHERE t.status IS DISTINCT FROM r.status
    ON CONFLICT DO NOTHING
)
INSERT INTO reconciler.stripe_payment_intents AS t (
    id, amount_minor, received_minor, currency, status, latest_charge_id, invoice_id, metadata_purchase_id, canceled_at, created_at, seen_at
)
SELECT r.id, r.amount_minor, r.received_minor, r.currency, r.status, r.latest_charge_id, r.invoice_id, r.metadata_purchase_id, r.canceled_at,
    r.created_at, to_timestamp(@seen_at::bigint)
FROM r
ON CONFLICT (id) DO UPDATE SET
    amount_minor = excluded.amount_minor, received_minor = excluded.received_minor, status = excluded.status,
    latest_charge_id = excluded.latest_charge_id, metadata_purchase_id = excluded.metadata_purchase_id, canceled_at = excluded.canceled_at,
    seen_at = excluded.seen_at
WHERE (t.amount_minor, t.received_minor, t.status, t.latest_charge_id, t.metadata_purchase_id, t.canceled_at)
    IS DISTINCT FROM (excluded.amount_minor, excluded.received_minor, excluded.status, excluded.latest_charge_id, excluded.metadata_purchase_id, excluded.canceled_at)
    OR t.status NOT IN ('succeeded', 'canceled') -- so that seen_at says since when a later change can have happened
