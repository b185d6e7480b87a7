-- Invoices of subscriptions, since a counterpart could have been awaited.
INSERT INTO reconciler.candidates (business_date, job, account_id, subject_id, in_scan)
SELECT @date::date, @scope::text, '', i.id, true
FROM reconciler.stripe_invoices i
WHERE i.subscription_id <> '' AND i.created_at >= @since::timestamptz AND i.created_at < @as_of::timestamptz
