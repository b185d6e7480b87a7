-- What the purchases that requests are about were at the moments that decide: how much of each was used, and whether it had been disputed.
WITH asked AS MATERIALIZED (
    SELECT k.request_id, p.id AS purchase_id, p.account_id, p.credits, moment.at,
           EXISTS (SELECT 1 FROM {{ main_charge }} c JOIN {{ disputes_as_of }} d ON d.charge_id = c.id WHERE d.chargeback_at < moment.at) AS disputed
    FROM unnest(@requests::text[], @purchases::text[], @moments::text[]) AS k (request_id, purchase_id, at)
    CROSS JOIN LATERAL (VALUES (k.at::timestamptz)) AS moment (at)
    JOIN {{ valid_purchases }} p ON p.id = k.purchase_id
), used AS MATERIALIZED (
    SELECT q.request_id, u.used FROM asked q CROSS JOIN LATERAL {{ used_at }} u
)
SELECT q.request_id, coalesce(u.used, 0) AS used_credits, q.disputed
FROM asked q
LEFT JOIN used u ON u.request_id = q.request_id
