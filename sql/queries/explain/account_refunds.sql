-- What Stripe refunded of an account's purchases, newest first: whether the money left, and why it came back.
SELECT r.id, o.purchase_id, r.charge_id, r.created_at, r.status, r.failure_reason, r.amount_minor::text AS amount, r.currency
FROM (SELECT p.id AS purchase_id, c.id AS charge_id FROM source.purchases p JOIN reconciler.stripe_charges c ON c.id = p.stripe_charge_id
      WHERE p.account_id = @account_id::text AND p.stripe_charge_id <> ''
      UNION
      SELECT p.id, c.id FROM source.purchases p JOIN reconciler.stripe_charges c ON c.payment_intent_id = p.stripe_payment_intent_id AND c.payment_intent_id <> ''
      WHERE p.account_id = @account_id::text
      UNION
      SELECT p.id, c.id FROM source.purchases p JOIN reconciler.stripe_charges c ON c.invoice_id = p.stripe_invoice_id AND c.invoice_id <> ''
      WHERE p.account_id = @account_id::text
      UNION
      SELECT p.id, c.id FROM source.purchases p JOIN reconciler.stripe_charges c ON c.metadata_purchase_id = p.id AND c.metadata_purchase_id <> ''
      WHERE p.account_id = @account_id::text) o
JOIN reconciler.stripe_refunds r ON r.charge_id = o.charge_id
WHERE NOT EXISTS (SELECT FROM reconciler.stripe_balance_transactions t WHERE t.id = r.balance_transaction_id AND t.reporting_category = 'partial_capture_reversal')
ORDER BY r.created_at DESC, r.id COLLATE "C", o.purchase_id COLLATE "C"
LIMIT @most::int
