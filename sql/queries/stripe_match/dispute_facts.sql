-- Disputes that are open, or that something happened to tonight, or whose breaks are open; each with the money that really moved.
WITH moved AS (
    SELECT d.id FROM reconciler.stripe_disputes d WHERE d.status NOT IN ('won', 'lost', 'warning_closed')
    UNION
    -- Also what changed after the night: it may have been open at its end.
    SELECT h.object_id FROM reconciler.stripe_states h WHERE h.effective_at >= @begin::timestamptz
    UNION
    SELECT t.source_id FROM reconciler.stripe_balance_transactions t
    WHERE t.created_at >= @begin::timestamptz AND t.created_at < @as_of::timestamptz AND t.source_id <> ''
    UNION
    SELECT d.id FROM reconciler.stripe_states h
    JOIN reconciler.stripe_refunds r ON r.id = h.object_id
    JOIN reconciler.stripe_disputes d ON d.charge_id = r.charge_id
    WHERE h.effective_at >= @begin::timestamptz AND h.effective_at < @as_of::timestamptz
    UNION
    SELECT d.id FROM reconciler.breaks b
    JOIN reconciler.stripe_disputes d ON d.id = b.subject_id OR d.charge_id = b.subject_id
    WHERE b.job = @job::text AND b.opened_on < @date::date AND (b.closed_on IS NULL OR b.closed_on >= @date::date)
)
SELECT d.id AS dispute_id, d.charge_id, d.status, d.reason, d.created_at, d.evidence_due_by, d.amount_minor, d.currency,
       coalesce(p.id, '') AS purchase_id, coalesce(p.account_id, '') AS account_id, coalesce(seen.status, a.status, '') AS account_status,
       coalesce(c.captured_minor, d.amount_minor) AS captured_minor, coalesce(r.refunded_minor, 0)::bigint AS refunded_minor,
       coalesce(t.withdrawn_minor, 0)::bigint AS withdrawn_minor, coalesce(t.returned_minor, 0)::bigint AS returned_minor,
       coalesce(t.fees_minor, 0)::bigint AS fees_minor, coalesce(t.currency, '') AS settlement_currency
FROM moved
JOIN {{ disputes_as_of }} d ON d.id = moved.id
LEFT JOIN {{ charges_as_of }} c ON c.id = d.charge_id
LEFT JOIN LATERAL {{ purchase_of_charge }} p ON true
LEFT JOIN source.accounts a ON a.id = p.account_id
LEFT JOIN LATERAL (SELECT t.content ->> 'status' AS status FROM reconciler.platform_states t
                   WHERE t.relation = 'accounts' AND t.row_id = p.account_id
                   ORDER BY t.seen_as_of <= @as_of::timestamptz DESC,
                            CASE WHEN t.seen_as_of <= @as_of::timestamptz THEN t.seen_as_of END DESC, t.seen_as_of
                   LIMIT 1) seen ON true
LEFT JOIN LATERAL (SELECT sum(r.amount_minor) AS refunded_minor, max(r.status_since) AS moved_at
                   FROM {{ refunds_as_of }} r WHERE r.charge_id = d.charge_id AND r.is_live) r ON true
LEFT JOIN LATERAL (SELECT -sum(least(t.amount_minor, 0)) AS withdrawn_minor, sum(greatest(t.amount_minor, 0)) AS returned_minor,
                          sum(t.fee_minor) AS fees_minor, min(t.currency) AS currency, max(t.created_at) AS moved_at
                   FROM reconciler.stripe_balance_transactions t
                   WHERE t.source_id = d.id AND t.created_at < @as_of::timestamptz) t ON true
WHERE d.status NOT IN ('won', 'lost', 'warning_closed')
   OR greatest(d.status_since, r.moved_at, t.moved_at) >= @begin::timestamptz
   OR EXISTS (SELECT FROM reconciler.breaks b
              WHERE b.job = @job::text AND b.subject_id IN (d.id, d.charge_id)
                AND b.opened_on < @date::date AND (b.closed_on IS NULL OR b.closed_on >= @date::date))
ORDER BY d.id
