-- Purchases booked in the night, by id.
SELECT account_id, purchase_id, kind, credits, amount_minor, currency, completed_at, is_late
FROM reconciler.booked_purchases
WHERE booked_at >= @begin::timestamptz AND booked_at < @end::timestamptz AND purchase_id COLLATE "C" > @after::text
ORDER BY purchase_id COLLATE "C"
LIMIT @limit::int
