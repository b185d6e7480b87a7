-- The charges that purchase p names, or that its payment intent or its invoice has, or that name it; link 1 is the surest of these ties.
(SELECT x.id, min(x.link) AS link
 FROM (SELECT 1 AS link, x.id FROM reconciler.stripe_charges x WHERE x.id = p.stripe_charge_id
       UNION ALL
       SELECT 2, x.id FROM reconciler.stripe_charges x WHERE x.payment_intent_id = p.stripe_payment_intent_id AND x.payment_intent_id <> ''
       UNION ALL
       SELECT 3, x.id FROM reconciler.stripe_charges x WHERE x.invoice_id = p.stripe_invoice_id AND x.invoice_id <> ''
       UNION ALL
       SELECT 4, x.id FROM reconciler.stripe_charges x WHERE x.metadata_purchase_id = p.id AND x.metadata_purchase_id <> '') x
 GROUP BY 1)
