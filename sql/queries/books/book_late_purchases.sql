-- Completed purchases that arrived in a night already reported. One that is booked is no new one, also where the platform has given it to another account.
INSERT INTO reconciler.booked_purchases (account_id, purchase_id, kind, credits, amount_minor, tax_minor, currency, completed_at, booked_at, is_late)
SELECT p.account_id, p.id, p.kind, p.credits, p.amount_minor, {{ invoice_tax }}, p.currency, p.completed_at, @begin::timestamptz, true
FROM reconciler.rescans r
JOIN {{ valid_purchases }} p ON p.status = 'completed' AND p.completed_at >= r.begins AND p.completed_at < r.ends
WHERE r.business_date = @date::date AND r.relation = 'purchases' AND NOT EXISTS (SELECT FROM reconciler.booked_purchases b WHERE b.purchase_id = p.id)
ON CONFLICT (account_id, purchase_id) DO NOTHING
