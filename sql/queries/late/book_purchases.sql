-- Completed purchases from before the night that opened the books, which has all that there were then: these arrived since.
INSERT INTO reconciler.booked_purchases (account_id, purchase_id, kind, credits, amount_minor, tax_minor, currency, completed_at, booked_at, is_late)
SELECT p.account_id, p.id, p.kind, p.credits, p.amount_minor, {{ invoice_tax }}, p.currency, p.completed_at, @booked_at::timestamptz, true
FROM {{ valid_purchases }} p
WHERE p.status = 'completed' AND p.completed_at < @ends::timestamptz
  AND NOT EXISTS (SELECT FROM reconciler.booked_purchases b WHERE b.purchase_id = p.id) -- on whatever account
ON CONFLICT (account_id, purchase_id) DO NOTHING
