-- Whether what was captured of charge c and what invoice i took from the customer's balance are what purchase p was made for; see
-- reconcile.Payment.Covers.
c.captured_minor + coalesce(i.from_balance_minor, 0) = p.amount_minor
