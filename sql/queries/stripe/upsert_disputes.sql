-- A page or more of disputes as Stripe has them now; times are Unix seconds.
WITH r AS (
    SELECT r.id, r.charge_id, r.payment_intent_id, r.amount_minor, r.currency, r.status, r.reason,
        to_timestamp(nullif(r.evidence_due_by, 0)) AS evidence_due_by, to_timestamp(r.created_at) AS created_at
    FROM unnest(@id::text[], @charge_id::text[], @payment_intent_id::text[], @amount_minor::bigint[], @currency::text[], @status::text[], @reason::text[],
        @evidence_due_by::bigint[], @created_at::bigint[])
        AS r(id, charge_id, payment_intent_id, amount_minor, currency, status, reason, evidence_due_by, created_at)
), changed AS (
    -- Everything here sees the rows as they were before this statement.
    INSERT INTO reconciler.stripe_states (object_id, effective_at, status, evidence_due_by, seen_at)
    SELECT r.id, coalesce(t.seen_at, r.created_at), r.status, r.evidence_due_by, to_timestamp(@seen_at::bigint)
    FROM r LEFT JOIN reconciler.stripe_disputes t ON t.id = r.id
    WHERE t.status IS DISTINCT FROM r.status OR t.evidence_due_by <> r.evidence_due_by
    ON CONFLICT DO NOTHING
)
INSERT INTO reconciler.stripe_disputes AS t (
    id, charge_id, payment_intent_id, amount_minor, currency, status, reason, evidence_due_by, created_at, seen_at
)
SELECT r.id, r.charge_id, r.payment_intent_id, r.amount_minor, r.currency, r.status, r.reason, r.evidence_due_by, r.created_at,
    to_timestamp(@seen_at::bigint)
FROM r
ON CONFLICT (id) DO UPDATE SET
    amount_minor = excluded.amount_minor, status = excluded.status, reason = excluded.reason,
    evidence_due_by = coalesce(excluded.evidence_due_by, t.evidence_due_by), -- Stripe forgets it once evidence is in
    seen_at = excluded.seen_at
WHERE (t.amount_minor, t.status, t.reason, t.evidence_due_by)
    IS DISTINCT FROM (excluded.amount_minor, excluded.status, excluded.reason, coalesce(excluded.evidence_due_by, t.evidence_due_by))
    OR t.status NOT IN ('won', 'lost', 'warning_closed') -- so that seen_at says since when a later change can have happened
