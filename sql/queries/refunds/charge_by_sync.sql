-- A charge with its refunds and disputes, as the last sync has seen them. Stripe calls a charge disputed for an inquiry too, and for good.
SELECT c.status, c.currency, c.amount_minor, c.captured_minor, c.captured, coalesce(r.refunded_minor, 0)::bigint AS refunded_minor,
       coalesce(r.refunds, '') AS refunds, EXISTS (SELECT FROM {{ disputes_as_of }} d WHERE d.charge_id = c.id) AS disputed
FROM {{ charges_as_of }} c
CROSS JOIN LATERAL (SELECT sum(f.amount_minor) AS refunded_minor, string_agg(f.id, ' ' ORDER BY f.id COLLATE "C") AS refunds
                    FROM {{ refunds_as_of }} f WHERE f.charge_id = c.id AND f.is_live) r
WHERE c.id = @charge_id::text
