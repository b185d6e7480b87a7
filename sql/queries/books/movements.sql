-- How the value of lots moved, less what refunds and late purchases have entries of their own for.
SELECT f.measure AS currency, f.usage AS usage, f.credit_backs AS credit_backs, f.adjustments AS adjustments,
       (f.refunds - coalesce(r.on_time, 0)) AS reallocated,
       (f.late_items - coalesce(b.late, 0) - coalesce(r.late, 0)) AS late_items
FROM reconciler.roll_forward f
LEFT JOIN (SELECT currency, sum(value_after - value_before) FILTER (WHERE NOT is_late) AS on_time, sum(value_after - value_before) FILTER (WHERE is_late) AS late
           FROM reconciler.refunded_lots WHERE business_date = @date::date GROUP BY 1) r ON r.currency = f.measure
LEFT JOIN (SELECT currency, sum(amount_minor - tax_minor) AS late FROM reconciler.booked_purchases
           WHERE booked_at >= @begin::timestamptz AND booked_at < @end::timestamptz AND is_late AND (kind = 'credits' OR credits > 0) GROUP BY 1) b ON b.currency = f.measure
WHERE f.business_date = @date::date AND f.measure <> 'credits'
ORDER BY f.measure COLLATE "C"
