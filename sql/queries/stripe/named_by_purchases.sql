-- What recent purchases name that the lists did not bring: payment intents without a charge, charges and invoices older than the
-- account's first sync. Asked for one by one; what Stripe doesn't have is missing at Stripe.
SELECT stream, id FROM (
    SELECT 'payment_intents' AS stream, p.stripe_payment_intent_id AS id
    FROM {{ valid_purchases }} p
    WHERE p.stripe_payment_intent_id <> '' AND p.created_at >= to_timestamp(@since::bigint)
      AND NOT EXISTS (SELECT FROM reconciler.stripe_charges c WHERE c.payment_intent_id = p.stripe_payment_intent_id AND c.payment_intent_id <> '')
      AND NOT EXISTS (SELECT FROM reconciler.stripe_payment_intents i WHERE i.id = p.stripe_payment_intent_id AND i.status IN ('succeeded', 'canceled'))
    UNION
    SELECT 'charges', p.stripe_charge_id
    FROM {{ valid_purchases }} p
    WHERE p.stripe_charge_id <> '' AND p.created_at >= to_timestamp(@since::bigint)
      AND NOT EXISTS (SELECT FROM reconciler.stripe_charges c WHERE c.id = p.stripe_charge_id)
    UNION
    SELECT 'invoices', p.stripe_invoice_id
    FROM {{ valid_purchases }} p
    WHERE p.stripe_invoice_id <> '' AND p.created_at >= to_timestamp(@since::bigint)
      AND NOT EXISTS (SELECT FROM reconciler.stripe_invoices i WHERE i.id = p.stripe_invoice_id)
) named
ORDER BY stream, id
