-- What went back of charge c by refunds that stand: of purchase p, and of what was charged beyond it (see charge_refunds).
(SELECT coalesce(sum(f.amount_minor) FILTER (WHERE NOT f.is_surplus), 0)::bigint AS refunded_minor, min(f.created_at) FILTER (WHERE NOT f.is_surplus) AS refunded_at,
        coalesce(sum(f.amount_minor) FILTER (WHERE f.is_surplus), 0)::bigint AS surplus_minor
 FROM {{ charge_refunds }} f)
