-- A charge with its refunds of the purchase and its disputes, as the last sync has seen them; what facts_now has as none of the purchase is left
-- out. Stripe calls a charge disputed for an inquiry too, and for good.
SELECT c.status, c.currency, c.amount_minor, c.captured_minor, c.captured, coalesce(r.refunded_minor, 0)::bigint AS refunded_minor,
       coalesce(r.refunds, '') AS refunds, EXISTS (SELECT FROM {{ disputes_as_of }} d WHERE d.charge_id = c.id) AS disputed
FROM {{ charges_as_of }} c
LEFT JOIN {{ valid_purchases }} p ON p.id = @purchase_id::text
LEFT JOIN LATERAL {{ purchase_invoice }} i ON true
CROSS JOIN LATERAL (SELECT sum(f.amount_minor) AS refunded_minor, string_agg(f.id, ' ' ORDER BY f.id COLLATE "C") AS refunds
                    FROM {{ charge_refunds }} f WHERE NOT f.is_surplus) r
WHERE c.id = @charge_id::text
