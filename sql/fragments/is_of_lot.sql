-- Whether entry e makes a lot or takes one back: a purchase, a promotional grant, or a positive adjustment.
e.kind IN ('purchase', 'promo', 'adjustment', 'refund', 'refund_reversal') AND (e.kind <> 'adjustment' OR e.credits > 0)
