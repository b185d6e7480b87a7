-- The lots of an account that are used before one, in an order by the time at which they were granted: first in, first out (clause 2.3).
lot_id COLLATE "C", lot_kind COLLATE "C" ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
