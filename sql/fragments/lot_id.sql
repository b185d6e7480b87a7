-- Which lot entry e is of: the purchase's, which may be granted in parts, or the entry's own.
CASE WHEN e.kind IN ('purchase', 'refund', 'refund_reversal') THEN coalesce(e.purchase_id, e.id) ELSE e.id END
