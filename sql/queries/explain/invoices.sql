-- Invoices with their lines; one that a purchase names and Stripe doesn't know is said to be that.
SELECT i.created_at AS at, 'Stripe invoice ' || i.id AS source, '' AS clause,
       'invoice ' || i.id || ' (' || i.billing_reason || ') over ' || {{ amount_mark }} || i.total_minor || ' ' || i.currency || {{ amount_mark }} || ', ' || i.status
       || CASE WHEN i.paid_minor <> 0 THEN '; paid ' || {{ amount_mark }} || i.paid_minor || ' ' || i.currency || {{ amount_mark }} ELSE '' END
       || CASE WHEN i.from_balance_minor <> 0 THEN '; from the customer''s balance ' || {{ amount_mark }} || i.from_balance_minor || ' ' || i.currency || {{ amount_mark }} ELSE '' END
       || CASE WHEN i.charge_id = '' AND i.payment_intent_id = '' THEN '; no charge' ELSE '' END
       || CASE WHEN i.subscription_id <> '' THEN '; of subscription ' || i.subscription_id ELSE '' END AS says
FROM reconciler.stripe_invoices i WHERE i.id = ANY (@ids::text[])
UNION ALL
SELECT i.created_at, 'Stripe invoice ' || l.invoice_id, '',
    'line ' || l.id || ': ' || {{ amount_mark }} || l.amount_minor || ' ' || i.currency || {{ amount_mark }} || CASE WHEN l.proration THEN ' (proration)' ELSE '' END
       || coalesce(' for ' || to_char(l.period_start AT TIME ZONE 'UTC', 'YYYY-MM-DD') || ' to ' || to_char(l.period_end AT TIME ZONE 'UTC', 'YYYY-MM-DD'), '')
FROM reconciler.stripe_invoice_lines l JOIN reconciler.stripe_invoices i ON i.id = l.invoice_id
WHERE l.invoice_id = ANY (@ids::text[])
UNION ALL
SELECT NULL, 'platform.purchases', '', 'invoice ' || x.id || ' is named by a purchase; Stripe was not asked about it, or does not have it'
FROM unnest(@ids::text[]) x (id) WHERE NOT EXISTS (SELECT FROM reconciler.stripe_invoices i WHERE i.id = x.id)
