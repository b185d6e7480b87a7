-- Charges at Stripe of the purchases of account @account_id, by the links of purchase_of_charge, the surest first.
(SELECT x.purchase_id, x.charge_id, min(x.link) AS link
 FROM (SELECT 1 AS link, p.id AS purchase_id, c.id AS charge_id FROM source.purchases p JOIN reconciler.stripe_charges c ON c.id = p.stripe_charge_id
       WHERE p.account_id = @account_id::text AND p.stripe_charge_id <> ''
       UNION ALL
       SELECT 2, p.id, c.id FROM source.purchases p JOIN reconciler.stripe_charges c ON c.payment_intent_id = p.stripe_payment_intent_id AND c.payment_intent_id <> ''
       WHERE p.account_id = @account_id::text
       UNION ALL
       SELECT 3, p.id, c.id FROM source.purchases p JOIN reconciler.stripe_charges c ON c.invoice_id = p.stripe_invoice_id AND c.invoice_id <> ''
       WHERE p.account_id = @account_id::text
       UNION ALL
       SELECT 4, p.id, c.id FROM source.purchases p JOIN reconciler.stripe_charges c ON c.metadata_purchase_id = p.id AND c.metadata_purchase_id <> ''
       WHERE p.account_id = @account_id::text) x
 GROUP BY x.purchase_id, x.charge_id)
