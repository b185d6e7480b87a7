-- Disputes that are open, or that something happened to tonight, or whose breaks are open; each with the money that really moved. With them, not
-- due themselves, come the other disputes of their charges (what has left a charge is counted once), and those that have ended so lately
-- that their money may still be on its way.
WITH moved AS (
    SELECT d.id FROM reconciler.stripe_disputes d WHERE d.status NOT IN ('won', 'lost', 'warning_closed')
    UNION
    -- Also what changed after the night: it may have been open at its end.
    SELECT h.object_id FROM reconciler.stripe_states h WHERE h.effective_at >= @settling_since::timestamptz
    UNION
    SELECT t.source_id FROM reconciler.stripe_balance_transactions t
    WHERE t.created_at >= @settling_since::timestamptz AND t.created_at < @as_of::timestamptz AND t.source_id <> ''
    UNION
    SELECT d.id FROM reconciler.stripe_states h
    JOIN reconciler.stripe_refunds r ON r.id = h.object_id
    JOIN reconciler.stripe_disputes d ON d.charge_id = r.charge_id
    WHERE h.effective_at >= @unseen::timestamptz AND h.effective_at < @as_of::timestamptz
    UNION
    SELECT d.id FROM reconciler.breaks b
    JOIN reconciler.stripe_disputes d ON d.id = b.subject_id OR d.charge_id = b.subject_id
    WHERE b.job = @job::text AND b.opened_on < @date::date AND (b.closed_on IS NULL OR b.closed_on >= @date::date)
), dispute AS MATERIALIZED (
    SELECT d.*, r.refunded_minor, t.withdrawn_minor, t.returned_minor, t.fees_minor, t.currency AS settlement_currency,
           greatest(d.status_since, t.moved_at) AS moved_at,
           d.status NOT IN ('won', 'lost', 'warning_closed')
               OR greatest(d.status_since, r.moved_at, t.moved_at) >= @unseen::timestamptz
               OR EXISTS (SELECT FROM reconciler.breaks b
                          WHERE b.job = @job::text AND b.subject_id IN (d.id, d.charge_id)
                            AND b.opened_on < @date::date AND (b.closed_on IS NULL OR b.closed_on >= @date::date)) AS is_due
    FROM {{ disputes_as_of }} d
    LEFT JOIN LATERAL (SELECT sum(r.amount_minor) AS refunded_minor, max(r.status_since) AS moved_at
                       FROM {{ refunds_as_of }} r WHERE r.charge_id = d.charge_id AND r.is_live) r ON true
    LEFT JOIN LATERAL (SELECT sum(m.withdrawn_minor) AS withdrawn_minor, sum(m.returned_minor) AS returned_minor, sum(m.fees_minor) AS fees_minor,
                              min(m.currency) AS currency, max(m.created_at) AS moved_at
                       FROM {{ dispute_moves }} m WHERE m.created_at < @as_of::timestamptz) t ON true
    WHERE d.charge_id IN (SELECT o.charge_id FROM moved JOIN reconciler.stripe_disputes o ON o.id = moved.id)
)
SELECT d.id AS dispute_id, d.charge_id, d.status, d.status_since, d.reason, d.created_at, d.evidence_due_by, d.amount_minor, d.currency, d.is_due, d.moved_at,
       coalesce(p.id, '') AS purchase_id, coalesce(p.account_id, '') AS account_id, coalesce(seen.status, a.status, '') AS account_status,
       coalesce(c.captured_minor, d.amount_minor) AS captured_minor, coalesce(d.refunded_minor, 0)::bigint AS refunded_minor,
       coalesce(d.withdrawn_minor, 0)::bigint AS withdrawn_minor, coalesce(d.returned_minor, 0)::bigint AS returned_minor,
       coalesce(d.fees_minor, 0)::bigint AS fees_minor, coalesce(d.settlement_currency, '') AS settlement_currency
FROM dispute d
LEFT JOIN {{ charges_as_of }} c ON c.id = d.charge_id
LEFT JOIN LATERAL {{ purchase_of_charge }} p ON true
LEFT JOIN source.accounts a ON a.id = p.account_id
LEFT JOIN LATERAL (SELECT t.content ->> 'status' AS status FROM reconciler.platform_states t
                   WHERE t.relation = 'accounts' AND t.row_id = p.account_id
                   ORDER BY t.seen_as_of <= @as_of::timestamptz DESC,
                            CASE WHEN t.seen_as_of <= @as_of::timestamptz THEN t.seen_as_of END DESC, t.seen_as_of
                   LIMIT 1) seen ON true
WHERE EXISTS (SELECT FROM dispute due WHERE due.charge_id = d.charge_id AND (due.is_due OR due.moved_at >= @settling_since::timestamptz))
ORDER BY d.charge_id COLLATE "C", d.created_at, d.id COLLATE "C"
