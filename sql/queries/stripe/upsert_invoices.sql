-- A page or more of invoices as Stripe has them now; times are Unix seconds.
WITH r AS (
    SELECT r.id, r.subscription_id, r.customer_id, r.charge_id, r.payment_intent_id, r.billing_reason, r.status, r.currency, r.total_minor, r.due_minor,
        r.paid_minor, r.from_balance_minor, r.paid_out_of_band, r.tax_minor, to_timestamp(nullif(r.period_start, 0)) AS period_start,
            to_timestamp(nullif(r.period_end, 0)) AS period_end,
        to_timestamp(r.created_at) AS created_at, to_timestamp(nullif(r.finalized_at, 0)) AS finalized_at,
        to_timestamp(nullif(r.paid_at, 0)) AS paid_at, to_timestamp(nullif(r.voided_at, 0)) AS voided_at
    FROM unnest(@id::text[], @subscription_id::text[], @customer_id::text[], @charge_id::text[], @payment_intent_id::text[], @billing_reason::text[],
        @status::text[], @currency::text[], @total_minor::bigint[], @due_minor::bigint[], @paid_minor::bigint[], @from_balance_minor::bigint[],
        @paid_out_of_band::boolean[], @tax_minor::bigint[], @period_start::bigint[],
        @period_end::bigint[], @created_at::bigint[], @finalized_at::bigint[], @paid_at::bigint[], @voided_at::bigint[])
        AS r(id, subscription_id, customer_id, charge_id, payment_intent_id, billing_reason, status, currency, total_minor, due_minor, paid_minor,
            from_balance_minor, paid_out_of_band, tax_minor, period_start, period_end, created_at, finalized_at, paid_at, voided_at)
), changed AS (
    -- Everything here sees the rows as they were before this statement.
    INSERT INTO reconciler.stripe_states (object_id, effective_at, status, seen_at)
    SELECT r.id, coalesce(t.seen_at, r.created_at), r.status, to_timestamp(@seen_at::bigint)
    FROM r LEFT JOIN reconciler.stripe_invoices t ON t.id = r.id
    WHERE t.status IS DISTINCT FROM r.status
    ON CONFLICT DO NOTHING
)
INSERT INTO reconciler.stripe_invoices AS t (
    id, subscription_id, customer_id, charge_id, payment_intent_id, billing_reason, status, currency, total_minor, due_minor, paid_minor,
    from_balance_minor, paid_out_of_band, tax_minor, period_start, period_end, created_at, finalized_at, paid_at, voided_at, seen_at
)
SELECT r.id, r.subscription_id, r.customer_id, r.charge_id, r.payment_intent_id, r.billing_reason, r.status, r.currency, r.total_minor, r.due_minor,
    r.paid_minor, r.from_balance_minor, r.paid_out_of_band, r.tax_minor, r.period_start, r.period_end, r.created_at, r.finalized_at, r.paid_at,
        r.voided_at, to_timestamp(@seen_at::bigint)
FROM r
ON CONFLICT (id) DO UPDATE SET
    charge_id = excluded.charge_id, payment_intent_id = excluded.payment_intent_id, status = excluded.status, total_minor = excluded.total_minor,
    due_minor = excluded.due_minor, paid_minor = excluded.paid_minor, from_balance_minor = excluded.from_balance_minor,
    paid_out_of_band = excluded.paid_out_of_band, tax_minor = excluded.tax_minor, period_start = excluded.period_start, period_end = excluded.period_end,
    finalized_at = excluded.finalized_at, paid_at = excluded.paid_at, voided_at = excluded.voided_at, seen_at = excluded.seen_at
WHERE (t.charge_id, t.payment_intent_id, t.status, t.total_minor, t.due_minor, t.paid_minor, t.from_balance_minor, t.paid_out_of_band, t.tax_minor,
    t.period_start, t.period_end, t.finalized_at, t.paid_at,
    t.voided_at)
    IS DISTINCT FROM (excluded.charge_id, excluded.payment_intent_id, excluded.status, excluded.total_minor, excluded.due_minor, excluded.paid_minor,
    excluded.from_balance_minor, excluded.paid_out_of_band, excluded.tax_minor, excluded.period_start, excluded.period_end, excluded.finalized_at, excluded.paid_at, excluded.voided_at)
    OR t.status NOT IN ('paid', 'void') -- so that seen_at says since when a later change can have happened
