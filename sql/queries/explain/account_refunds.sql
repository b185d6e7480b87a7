-- What Stripe refunded of an account's purchases, newest first: whether the money left, and why it came back.
SELECT r.id, o.purchase_id, r.charge_id, r.created_at, r.status, r.failure_reason, r.amount_minor AS amount, r.currency
FROM {{ account_charges }} o
JOIN reconciler.stripe_refunds r ON r.charge_id = o.charge_id
WHERE {{ money_back }}
ORDER BY r.created_at DESC, r.id COLLATE "C", o.purchase_id COLLATE "C"
LIMIT @most::int
