-- What asked.minor of charge c came to when the charge was settled; null where that isn't known or was in another currency than asked.currency.
(SELECT CASE WHEN m.captured_minor > 0 AND m.settled_currency = asked.currency
             THEN (SELECT {{ converted }} FROM (SELECT asked.minor, m.settled_minor AS is_worth, m.captured_minor AS all_minor) x) END AS settled_minor
 FROM (SELECT NULL::text[] AS other_fees_withheld) v
 CROSS JOIN LATERAL {{ payment }} m)
