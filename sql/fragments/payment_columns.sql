-- What reconcile.Payment is made of, from a row c of purchase_charges.
coalesce(c.charge_currency, '') AS charge_currency, coalesce(c.captured_minor, 0)::bigint AS captured_minor,
    coalesce(c.surplus_minor, 0)::bigint AS surplus_minor, c.settled_minor, c.fee_minor,
       coalesce(c.invoice_id, '') AS invoice_id, coalesce(c.from_balance_minor, 0)::bigint AS from_balance_minor,
       coalesce(c.paid_out_of_band, false) AS paid_out_of_band, coalesce(c.payment_open, false) AS payment_open, coalesce(c.payment_accepted, false) AS payment_accepted
