-- What has been refunded by the night of the purchases that requests are about: money at Stripe that stands, and credits in the ledger.
SELECT r.id AS request_id, r.decided_at AS status_since, m.at, m.amount_minor, m.currency, m.credits
FROM unnest(@requests::text[], @purchases::text[]) AS k (request_id, purchase_id)
JOIN {{ valid_requests }} r ON r.id = k.request_id
JOIN {{ valid_purchases }} p ON p.id = k.purchase_id
CROSS JOIN LATERAL (
    SELECT f.created_at AS at, f.amount_minor, f.currency, 0::bigint AS credits
    FROM {{ main_charge }} c
    LEFT JOIN LATERAL {{ purchase_invoice }} i ON true
    CROSS JOIN LATERAL {{ charge_refunds }} f
    WHERE c.status <> 'failed' AND NOT f.is_surplus
    UNION ALL
    SELECT e.effective_at, 0, '', -e.credits
    FROM {{ entries }} e
    WHERE e.account_id = p.account_id AND e.purchase_id = p.id AND e.kind IN ('refund', 'refund_reversal') AND e.effective_at < @as_of::timestamptz) m
ORDER BY r.id COLLATE "C", m.at
