-- Refunds made, or changed, since a counterpart could have been awaited, and those whose credits moved since; and all that were still pending at
-- the end of the night, those that have changed after it among them. With one that failed since, all of its charge: what is due is asked of them
-- together. And those of a charge with a dispute that something has happened to since: policy and amount are asked again once it has ended, as they
-- are once it is settled what was paid.
INSERT INTO reconciler.candidates (business_date, job, account_id, subject_id, in_scan)
WITH taken AS MATERIALIZED (
    SELECT DISTINCT e.account_id, e.purchase_id FROM {{ entries }} e
    WHERE e.kind IN ('refund', 'refund_reversal') AND e.purchase_id <> ''
      AND e.effective_at >= @since::timestamptz AND e.effective_at < @as_of::timestamptz
), credited AS (
    SELECT f.id
    FROM taken e
    JOIN {{ valid_purchases }} p ON p.id = e.purchase_id AND p.account_id = e.account_id
    CROSS JOIN LATERAL {{ main_charge }} c
    JOIN reconciler.stripe_refunds f ON f.charge_id = c.id
), moved AS (
    SELECT r.id, false AS has_cause FROM reconciler.stripe_refunds r
    WHERE r.created_at >= @since::timestamptz OR r.status NOT IN ('succeeded', 'failed', 'canceled')
    UNION ALL
    SELECT h.object_id, false FROM reconciler.stripe_states h WHERE h.effective_at >= @since::timestamptz
    UNION ALL
    SELECT id, true FROM credited
    UNION ALL
    SELECT o.id, true
    FROM reconciler.stripe_states h
    JOIN reconciler.stripe_refunds f ON f.id = h.object_id AND f.status IN ('failed', 'canceled')
    JOIN reconciler.stripe_refunds o ON o.charge_id = f.charge_id AND o.id <> f.id
    WHERE h.effective_at >= @since::timestamptz AND h.effective_at < @as_of::timestamptz AND f.charge_id <> ''
    UNION ALL
    SELECT o.id, true
    FROM {{ disputes_moved_since }} m
    JOIN reconciler.stripe_disputes d ON d.id = m.id
    JOIN reconciler.stripe_refunds o ON o.charge_id = d.charge_id AND d.charge_id <> ''
    UNION ALL
    SELECT o.id, true
    FROM reconciler.breaks b
    JOIN {{ valid_purchases }} p ON p.id = b.subject_id AND p.account_id = b.account_id
    CROSS JOIN LATERAL {{ main_charge }} c
    JOIN reconciler.stripe_refunds o ON o.charge_id = c.id
    WHERE b.kind IN ('charge_amount_mismatch', 'charge_currency_mismatch') AND b.closed_on >= @date::date - 1 AND b.closed_on <= @date::date
)
SELECT DISTINCT @date::date, @scope::text, '', r.id, r.created_at >= @since::timestamptz
FROM moved
JOIN {{ refunds_as_of }} r ON r.id = moved.id
WHERE moved.has_cause OR greatest(r.created_at, r.status_since) >= @since::timestamptz OR r.status IN ('pending', 'requires_action')
