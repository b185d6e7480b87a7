-- The chargebacks of charge k.charge_id, as of the night: whether one is open, and what those that were lost have taken for good, in the charge's
-- currency.
(SELECT bool_or(d.chargeback_at IS NOT NULL AND d.status NOT IN ('won', 'lost', 'warning_closed')) AS open,
        string_agg('dispute ' || d.id || ' (' || d.status || ')', ', ' ORDER BY d.created_at, d.id COLLATE "C") AS disputes,
        -- In proportion to what of the withdrawn money is not back, half up, as reconcile.JudgeDisputes has it.
        sum(CASE WHEN t.withdrawn > 0 THEN div(2 * d.amount_minor * greatest(0, t.withdrawn - t.returned) + t.withdrawn, 2 * t.withdrawn)
                 ELSE d.amount_minor END) FILTER (WHERE d.status = 'lost') AS gone_minor
 FROM (SELECT * FROM {{ disputes_as_of }} x WHERE x.charge_id = k.charge_id AND k.charge_id <> '') d
 LEFT JOIN LATERAL (SELECT sum(m.withdrawn_minor) AS withdrawn, sum(m.returned_minor) AS returned
                    FROM {{ dispute_moves }} m WHERE m.created_at < @as_of::timestamptz) t ON true)
