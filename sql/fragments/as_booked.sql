-- What o moved of a sale of x.gross_minor, in the currency that it was booked in; null where it is in neither that one nor the one that it is in now
-- (see purchase_now).
(SELECT CASE WHEN o.currency = x.currency THEN o.minor
             WHEN o.currency = n.currency AND n.amount_minor > 0 THEN round(o.minor * x.gross_minor / n.amount_minor) END AS minor)
