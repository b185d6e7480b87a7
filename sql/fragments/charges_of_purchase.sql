-- All charges that belong to purchase p, by the links of purchase_of_charge; main_charge is the one that pays it.
(SELECT c.id, c.currency
 FROM reconciler.stripe_charges c
 CROSS JOIN LATERAL {{ purchase_of_charge }} o
 WHERE o.id = p.id AND c.id IN (
     SELECT x.id FROM reconciler.stripe_charges x WHERE x.id = p.stripe_charge_id
     UNION ALL
     SELECT x.id FROM reconciler.stripe_charges x WHERE x.payment_intent_id = p.stripe_payment_intent_id AND x.payment_intent_id <> ''
     UNION ALL
     SELECT x.id FROM reconciler.stripe_charges x WHERE x.invoice_id = p.stripe_invoice_id AND x.invoice_id <> ''
     UNION ALL
     SELECT x.id FROM reconciler.stripe_charges x WHERE x.metadata_purchase_id = p.id AND x.metadata_purchase_id <> ''))
