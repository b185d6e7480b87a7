-- What the platform, its ledger and our decisions say about a refund at this very moment, this refund's own hold left out. The lots are those
-- of clause 2.3, without an as-of: what has happened has happened.
WITH entry AS MATERIALIZED (
    SELECT {{ lot_entries }} FROM {{ entries }} e WHERE e.account_id = @account_id::text AND e.id <> @hold_entry_id::text
), lot AS (
    SELECT {{ lot_sums }} FROM entry e GROUP BY 1, 2, 3
), ordered AS (
    SELECT {{ lots_in_order }} FROM lot
)
SELECT coalesce(d.decision, '') AS decision, coalesce(d.refund_minor, 0) AS decided_minor, coalesce(d.fee_minor, 0) AS decided_fee_minor,
       coalesce(d.currency, '') AS decided_currency, coalesce(d.charge_id, '') AS decided_charge_id, coalesce(d.purchase_id, '') AS decided_purchase_id,
       coalesce(d.credits, 0) AS decided_credits, coalesce(d.clauses, '') AS decided_clauses, coalesce(d.policy_version, '') AS decided_policy_version,
       coalesce(r.status, '') AS request_status, coalesce(r.requested_at, 'infinity') AS requested_at,
       coalesce(p.kind, '') AS purchase_kind, coalesce(p.status, '') AS purchase_status, coalesce(p.amount_minor, 0) AS amount_minor,
       coalesce(p.currency, '') AS currency, coalesce(p.credits, 0) AS credits, p.completed_at,
       least(coalesce(l.granted, 0), 9223372036854775807)::bigint AS granted_credits,
       greatest(-9223372036854775807, least(coalesce(-l.refunded, 0), 9223372036854775807))::bigint AS taken_credits,
       greatest(0, least(coalesce(l.granted, 0), coalesce(l.net - l.before, 0), 9223372036854775807))::bigint AS used_credits,
       coalesce(c.currency, '') AS charge_currency, coalesce(m.captured_minor, 0) AS captured_minor, coalesce(x.surplus_minor, 0)::bigint AS surplus_minor, m.settled_minor, m.fee_minor,
       coalesce(i.id, '') AS invoice_id, coalesce(i.from_balance_minor, 0) AS from_balance_minor, coalesce(i.paid_out_of_band, false) AS paid_out_of_band,
       coalesce(NOT c.captured, false) AS payment_open, {{ payment_accepted }} AS payment_accepted, coalesce(x.reversals, '') AS reversals, coalesce(x.reversed_minor, 0)::bigint AS reversed_minor
FROM (SELECT 1) one
LEFT JOIN reconciler.refund_decisions d ON d.account_id = @account_id::text AND d.request_id = @request_id::text AND d.decision IN ('approve', 'deny')
LEFT JOIN {{ valid_requests }} r ON r.id = @request_id::text
LEFT JOIN {{ valid_purchases }} p ON p.id = @purchase_id::text AND p.account_id = @account_id::text
LEFT JOIN reconciler.policy_versions v ON v.policy = @policy::text AND p.completed_at >= v.effective_from AND p.completed_at < v.effective_to
LEFT JOIN reconciler.stripe_charges c ON c.id = d.charge_id
LEFT JOIN LATERAL {{ purchase_invoice }} i ON true
LEFT JOIN LATERAL {{ payment }} m ON true
-- Refunds that are none of the purchase: what a capture left of the authorisation, and what was charged too much.
LEFT JOIN LATERAL (SELECT string_agg(r.id, ' ' ORDER BY r.id) AS reversals, sum(r.amount_minor) AS reversed_minor, sum(r.amount_minor) FILTER (WHERE r.is_surplus) AS surplus_minor
                   FROM (SELECT r.id, r.amount_minor, false AS is_surplus
                         FROM reconciler.stripe_refunds r
                         JOIN reconciler.stripe_balance_transactions t ON t.id = r.balance_transaction_id AND t.reporting_category = 'partial_capture_reversal'
                         WHERE r.charge_id = c.id
                         UNION ALL
                         SELECT f.id, f.amount_minor, true FROM {{ charge_refunds }} f WHERE f.is_surplus) r) x ON true
LEFT JOIN ordered l ON l.lot_kind = 'purchase' AND l.lot_id = @purchase_id::text
