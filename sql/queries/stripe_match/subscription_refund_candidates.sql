-- Refunds of charges that paid for a subscription.
INSERT INTO reconciler.candidates (business_date, job, account_id, subject_id, in_scan)
SELECT @date::date, @scope::text, '', r.id, true
FROM {{ refunds_as_of }} r
JOIN reconciler.stripe_charges c ON c.id = r.charge_id
LEFT JOIN reconciler.stripe_invoices i ON i.id = c.invoice_id AND c.invoice_id <> ''
LEFT JOIN LATERAL {{ purchase_of_charge }} p ON true
WHERE r.created_at >= @since::timestamptz AND (i.subscription_id <> '' OR p.kind = 'subscription')
