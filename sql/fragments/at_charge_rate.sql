-- What asked.minor of charge c came to when the charge was settled, half up; null where that isn't known or was in another currency than
-- asked.currency.
(SELECT CASE WHEN m.captured_minor > 0 AND m.settled_currency = asked.currency
             THEN div(2 * asked.minor::numeric * m.settled_minor + m.captured_minor, 2 * m.captured_minor) END AS settled_minor
 FROM (SELECT NULL::text[] AS other_fees_withheld) v
 CROSS JOIN LATERAL {{ payment }} m)
