-- The purchase that charge c belongs to, by the same links as main_charge, the surest first; of several that name it, the first that was made. The fence keeps the planner from looking
-- them up by anything but the link: without statistics, the contract's range of sane times seems just as good to it.
(SELECT p.* FROM (
     SELECT * FROM (
         SELECT 1 AS link, p.* FROM source.purchases p WHERE p.stripe_charge_id = c.id
         UNION ALL
         SELECT 2, p.* FROM source.purchases p WHERE p.stripe_payment_intent_id = c.payment_intent_id AND c.payment_intent_id <> ''
         UNION ALL
         SELECT 3, p.* FROM source.purchases p WHERE p.stripe_invoice_id = c.invoice_id AND c.invoice_id <> ''
         UNION ALL
         SELECT 4, p.* FROM source.purchases p WHERE p.id = c.metadata_purchase_id AND c.metadata_purchase_id <> ''
     ) linked
     OFFSET 0
 ) p
 WHERE {{ purchase_is_valid }} AND p.created_at < @as_of::timestamptz
 ORDER BY p.link, p.created_at, p.id COLLATE "C"
 LIMIT 1)
