-- Completed purchases since @from: the night's own, or all there are where there is no night before.
INSERT INTO reconciler.booked_purchases (account_id, purchase_id, kind, credits, amount_minor, tax_minor, currency, completed_at, booked_at, is_late)
SELECT p.account_id, p.id, p.kind, p.credits, p.amount_minor, {{ invoice_tax }}, p.currency, p.completed_at, p.completed_at, false
FROM {{ valid_purchases }} p
WHERE p.status = 'completed' AND p.completed_at >= @from::timestamptz AND p.completed_at < @end::timestamptz
ON CONFLICT (account_id, purchase_id) DO NOTHING
