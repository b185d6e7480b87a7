-- Whether a purchase names charge c, or the charge a purchase.
(EXISTS (SELECT FROM source.purchases p WHERE p.stripe_charge_id = c.id)
 OR c.payment_intent_id <> '' AND EXISTS (SELECT FROM source.purchases p WHERE p.stripe_payment_intent_id = c.payment_intent_id)
 OR c.invoice_id <> '' AND EXISTS (SELECT FROM source.purchases p WHERE p.stripe_invoice_id = c.invoice_id)
 OR c.metadata_purchase_id <> '' AND EXISTS (SELECT FROM source.purchases p WHERE p.id = c.metadata_purchase_id))
