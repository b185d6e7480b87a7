-- The purchase that charge c belongs to, by the same links as main_charge, the surest first.
(SELECT p.* FROM (
     SELECT 1 AS link, p.* FROM {{ valid_purchases }} p WHERE p.stripe_charge_id = c.id
     UNION ALL
     SELECT 2, p.* FROM {{ valid_purchases }} p WHERE p.stripe_payment_intent_id = c.payment_intent_id AND c.payment_intent_id <> ''
     UNION ALL
     SELECT 3, p.* FROM {{ valid_purchases }} p WHERE p.stripe_invoice_id = c.invoice_id AND c.invoice_id <> ''
     UNION ALL
     SELECT 4, p.* FROM {{ valid_purchases }} p WHERE p.id = c.metadata_purchase_id AND c.metadata_purchase_id <> ''
 ) p
 WHERE p.created_at < @as_of::timestamptz
 ORDER BY p.link, p.id
 LIMIT 1)
