-- What the purchases that requests are about were at the moments that decide: how much of each was used, and whether it had been disputed.
SELECT k.request_id, u.used AS used_credits,
       EXISTS (SELECT FROM {{ main_charge }} c JOIN {{ disputes_as_of }} d ON d.charge_id = c.id WHERE d.chargeback_at < moment.at) AS disputed
FROM unnest(@requests::text[], @purchases::text[], @moments::text[]) AS k (request_id, purchase_id, at)
CROSS JOIN LATERAL (SELECT k.at::timestamptz AS at) moment
JOIN {{ valid_purchases }} p ON p.id = k.purchase_id
CROSS JOIN LATERAL {{ used_at }} u
