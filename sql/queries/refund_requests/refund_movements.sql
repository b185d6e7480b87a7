-- What has been refunded by the night of the purchases that requests are about: money at Stripe that stands, and credits in the ledger.
WITH asked AS MATERIALIZED (
    SELECT r.id AS request_id, r.decided_at, p.*
    FROM unnest(@requests::text[], @purchases::text[]) AS k (request_id, purchase_id)
    JOIN {{ valid_requests }} r ON r.id = k.request_id
    JOIN {{ valid_purchases }} p ON p.id = k.purchase_id
), money AS MATERIALIZED (
    SELECT p.request_id, p.decided_at, f.created_at AS at, f.amount_minor, f.currency, 0::bigint AS credits
    FROM asked p
    CROSS JOIN LATERAL {{ main_charge }} c
    LEFT JOIN LATERAL {{ purchase_invoice }} i ON true
    CROSS JOIN LATERAL {{ charge_refunds }} f
    WHERE c.status <> 'failed' AND NOT f.is_surplus
), credit AS MATERIALIZED (
    SELECT p.request_id, p.decided_at, e.effective_at AS at, 0::bigint AS amount_minor, ''::text AS currency, e.credits
    FROM asked p
    CROSS JOIN LATERAL (SELECT DISTINCT ON (e.account_id, e.id) e.* FROM {{ entries }} e
                        WHERE e.account_id = p.account_id AND e.purchase_id = p.id AND e.kind IN ('refund', 'refund_reversal') AND e.effective_at < @as_of::timestamptz) e
)
SELECT m.request_id, m.decided_at AS status_since, m.at, m.amount_minor, m.currency, m.credits
FROM (SELECT * FROM money UNION ALL SELECT * FROM credit) m
ORDER BY m.request_id COLLATE "C", m.at
