-- Until when subscription s is paid for at Stripe, as of the night; null when no invoice of it was paid.
(SELECT max(l.period_end) AS paid_through
 FROM reconciler.stripe_invoices i
 JOIN reconciler.stripe_invoice_lines l ON l.invoice_id = i.id
 WHERE i.subscription_id = s.stripe_subscription_id AND i.subscription_id <> '' AND i.status = 'paid' AND i.paid_at < @as_of::timestamptz
   AND NOT l.proration AND l.type = 'subscription')
