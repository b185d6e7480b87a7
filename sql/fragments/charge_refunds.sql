-- Refunds of charge c that stand, as of the night, for purchase p with invoice i: is_surplus of those that together give back just what was charged
-- too much, before anything else. They are no refunds of the purchase. A single one, or several.
(SELECT r.id, r.amount_minor, r.currency, r.created_at, r.run <= max(CASE WHEN r.run = {{ surplus }} THEN r.run ELSE 0 END) OVER () AS is_surplus
 FROM (SELECT r.id, r.amount_minor, r.currency, r.created_at, sum(r.amount_minor) OVER (ORDER BY r.created_at, r.id COLLATE "C") AS run
       FROM {{ refunds_as_of }} r WHERE r.charge_id = c.id AND r.is_live) r)
