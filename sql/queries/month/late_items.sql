-- What arrived late and was booked in the nights from @from through @date, by the day that it belongs to.
SELECT l.booked_on, l.entry_date AS belongs_to, 'credit_entry' AS item_type, l.entry_id AS item_id, l.account_id, l.credits AS amount, 'credits' AS unit
FROM reconciler.late_items l
WHERE l.booked_on BETWEEN @from::date AND @date::date
UNION ALL
SELECT k.business_date, (p.completed_at AT TIME ZONE @zone::text)::date, 'purchase', p.purchase_id, p.account_id, p.amount_minor, p.currency
FROM {{ books_of }} k
JOIN reconciler.booked_purchases p ON p.is_late AND p.booked_at >= (k.business_date::timestamp AT TIME ZONE @zone::text)
    AND p.booked_at < ((k.business_date + 1)::timestamp AT TIME ZONE @zone::text)
WHERE k.business_date >= @from::date
UNION ALL
SELECT l.booked_on, (l.created_at AT TIME ZONE @zone::text)::date, 'balance_transaction', l.id, '', t.net_minor, t.currency
FROM reconciler.stripe_late l
JOIN reconciler.stripe_balance_transactions t ON t.id = l.id
WHERE l.booked_on BETWEEN @from::date AND @date::date
ORDER BY 1, 2, 3, 4
