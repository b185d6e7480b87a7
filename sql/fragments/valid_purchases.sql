-- Purchases that keep the contract.
(SELECT id, account_id, kind, credits, amount_minor, currency, status,
        stripe_payment_intent_id, stripe_charge_id, stripe_invoice_id, created_at, completed_at
 FROM source.purchases
 WHERE {{ purchase_is_valid }})
