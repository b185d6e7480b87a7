-- Whether what was captured of charge c, less what of it went back as a surplus (r), and what invoice i took from the customer's balance are what
-- purchase p was made for; see reconcile.Payment.Covers.
c.captured_minor - r.surplus_minor + coalesce(i.from_balance_minor, 0) = p.amount_minor
