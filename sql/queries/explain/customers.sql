-- Who paid charges: what Stripe says, and the accounts that the platform knows by the charge's purchase, by another payment or subscription of the
-- same customer of Stripe's, or by the e-mail address.
SELECT c.id, c.created_at, c.method, c.amount_minor AS amount, c.currency, c.email, c.payment_intent_id, c.invoice_id, c.customer_id,
       coalesce((SELECT string_agg(m.key || ' ' || m.value, ', ' ORDER BY m.key) FROM jsonb_each_text(c.metadata) m), '') AS metadata,
       coalesce(string_agg(a.id, ', ' ORDER BY a.id), '') AS accounts, coalesce(string_agg(a.email, ', ' ORDER BY a.id), '') AS account_emails
FROM reconciler.stripe_charges c
LEFT JOIN LATERAL (
    SELECT p.account_id FROM source.purchases p WHERE p.stripe_charge_id = c.id
    UNION SELECT p.account_id FROM source.purchases p WHERE p.id = c.metadata_purchase_id AND c.metadata_purchase_id <> ''
    UNION SELECT p.account_id FROM source.purchases p WHERE p.stripe_payment_intent_id = c.payment_intent_id AND c.payment_intent_id <> ''
    UNION SELECT p.account_id FROM source.purchases p WHERE p.stripe_invoice_id = c.invoice_id AND c.invoice_id <> ''
    UNION SELECT p.account_id FROM reconciler.stripe_charges o JOIN source.purchases p ON p.id = o.metadata_purchase_id AND o.metadata_purchase_id <> ''
          WHERE o.customer_id = c.customer_id AND o.customer_id <> ''
    UNION SELECT s.account_id FROM reconciler.stripe_subscriptions t JOIN source.subscriptions s ON s.stripe_subscription_id = t.id
          WHERE t.customer_id = c.customer_id AND t.customer_id <> ''
    UNION SELECT a.id FROM source.accounts a WHERE lower(a.email) = lower(c.email) AND c.email <> '') known ON true
LEFT JOIN source.accounts a ON a.id = known.account_id
WHERE c.id = ANY (@ids::text[])
GROUP BY c.id
ORDER BY c.created_at, c.id COLLATE "C"
LIMIT 25
