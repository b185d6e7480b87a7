-- What was captured of charge c beyond purchase p and not explained by invoice i; 0 where it is not more, or in another currency. A refund of just that
-- is no refund of the purchase.
CASE WHEN c.currency <> p.currency THEN 0 ELSE greatest(0, c.captured_minor + coalesce(i.from_balance_minor, 0) - p.amount_minor) END
