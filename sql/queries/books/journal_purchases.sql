-- Purchases booked in the night, by id.
SELECT x.account_id, x.purchase_id, x.kind, x.credits, x.amount_minor, x.tax_minor, x.currency, x.completed_at, x.is_late, {{ from_balance }} AS from_balance_minor
FROM reconciler.booked_purchases x
WHERE x.booked_at >= @begin::timestamptz AND x.booked_at < @end::timestamptz AND x.purchase_id COLLATE "C" > @after::text
ORDER BY x.purchase_id COLLATE "C"
LIMIT @limit::int
