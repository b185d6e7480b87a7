-- The charge that pays purchase p: the one that it names, or that its payment intent or its invoice has, or that names it. A payment that
-- failed gives way to one that didn't; of several, the first that went through.
(SELECT c.* FROM (
     SELECT 1 AS link, c.* FROM {{ charges_as_of }} c WHERE c.id = p.stripe_charge_id
     UNION ALL
     SELECT 2, c.* FROM {{ charges_as_of }} c WHERE c.payment_intent_id = p.stripe_payment_intent_id AND c.payment_intent_id <> ''
     UNION ALL
     SELECT 3, c.* FROM {{ charges_as_of }} c WHERE c.invoice_id = p.stripe_invoice_id AND c.invoice_id <> ''
     UNION ALL
     SELECT 4, c.* FROM {{ charges_as_of }} c WHERE c.metadata_purchase_id = p.id AND c.metadata_purchase_id <> ''
 ) c
 ORDER BY c.status = 'failed', c.link, c.status <> 'succeeded', c.created_at, c.id
 LIMIT 1)
