-- Refunds that stand of purchases with a denied request, request by request, with what had been refunded of the purchase when each was made: also
-- what has failed since, and nothing of what was charged too much. What the customer withdrew was never denied.
WITH denied AS MATERIALIZED (
    SELECT r.id AS refund_id, r.created_at AS made_at, a.request_id, a.requested_at, p.account_id, p.id AS purchase_id, p.stripe_invoice_id, p.amount_minor,
           p.currency, c.id AS charge_id, c.captured_minor, c.invoice_id, c.currency AS charge_currency
    FROM reconciler.candidates s
    JOIN {{ refunds_as_of }} r ON r.id = s.subject_id AND r.is_live
    JOIN {{ charges_as_of }} c ON c.id = r.charge_id
    CROSS JOIN LATERAL {{ purchase_of_charge }} p
    JOIN reconciler.refund_decisions a ON a.account_id = p.account_id AND a.purchase_id = p.id AND a.business_date <= @date::date
     AND a.decision = 'deny' AND a.status <> 'withdrawn'
    WHERE s.business_date = @date::date AND s.job = @scope::text
)
SELECT d.refund_id, d.request_id, d.requested_at, o.created_at AS at, o.amount_minor, 0::bigint AS credits
FROM denied d
CROSS JOIN LATERAL (SELECT d.charge_id AS id, d.captured_minor, d.invoice_id, d.charge_currency AS currency) c
CROSS JOIN LATERAL (SELECT d.stripe_invoice_id, d.amount_minor, d.currency) p
LEFT JOIN LATERAL {{ purchase_invoice }} i ON true
JOIN {{ refunds_as_of }} o ON o.charge_id = d.charge_id AND o.created_at <= d.made_at AND (o.is_live OR o.status_since > d.made_at)
WHERE NOT EXISTS (SELECT FROM {{ charge_refunds }} f WHERE f.id = o.id AND f.is_surplus)
UNION ALL
SELECT d.refund_id, d.request_id, d.requested_at, e.effective_at, 0, e.credits
FROM denied d
JOIN {{ entries }} e ON e.account_id = d.account_id AND e.purchase_id = d.purchase_id AND e.kind IN ('refund', 'refund_reversal') AND e.effective_at <= d.made_at
ORDER BY 1, 2, 4
