-- What was captured of charge c beyond purchase p and not explained by invoice i; 0 where it is not more. A refund of just that is no refund
-- of the purchase.
greatest(0, c.captured_minor + coalesce(i.from_balance_minor, 0) - p.amount_minor)
