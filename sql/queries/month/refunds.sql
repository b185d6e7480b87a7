-- Refunds that were posted at Stripe, or failed there, in the nights from @from through @date.
WITH night AS (
    SELECT c.business_date, c.stripe_from, c.stripe_through, c.books_begin
    FROM {{ books_of }} k JOIN reconciler.book_closings c ON c.business_date = k.business_date
    WHERE c.business_date >= @from::date
), booked AS (
    SELECT k.business_date, t.*
    FROM night k JOIN reconciler.stripe_balance_transactions t ON t.created_at >= k.stripe_from AND t.created_at < k.stripe_through
    WHERE NOT EXISTS (SELECT FROM reconciler.stripe_late x WHERE x.id = t.id AND x.booked_on IS DISTINCT FROM k.business_date)
    UNION ALL
    SELECT k.business_date, t.*
    FROM night k JOIN reconciler.stripe_late x ON x.booked_on = k.business_date AND x.created_at < k.stripe_from
    JOIN reconciler.stripe_balance_transactions t ON t.id = x.id
)
SELECT t.business_date AS booked_on, t.reporting_category, t.id AS balance_transaction_id, coalesce(r.id, t.source_id) AS refund_id,
       coalesce(r.charge_id, '') AS charge_id, coalesce(p.id, '') AS purchase_id, coalesce(p.account_id, '') AS account_id,
       o.minor AS amount_minor, o.currency, coalesce(r.reason, '') AS reason
FROM booked t
LEFT JOIN reconciler.stripe_refunds r ON r.id = t.source_id
LEFT JOIN reconciler.stripe_charges c ON c.id = r.charge_id
LEFT JOIN LATERAL {{ purchase_of_charge }} p ON true
CROSS JOIN LATERAL {{ presented }} o
WHERE t.reporting_category IN ('refund', 'refund_failure')
ORDER BY 1, 2, t.id COLLATE "C"
