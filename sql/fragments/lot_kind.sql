-- What kind of lot entry e is of; see is_of_lot.
CASE WHEN e.kind IN ('purchase', 'refund', 'refund_reversal') THEN 'purchase' ELSE e.kind END
