-- The roll-forward of the nights from @from through @date: the opening of the first, the movements of all, the closing of the last.
SELECT f.measure, (array_agg(f.opening ORDER BY f.business_date))[1] AS opening, sum(f.purchases) AS purchases, sum(f.promotions) AS promotions, sum(f.usage) AS usage,
       sum(f.credit_backs) AS credit_backs, sum(f.refunds) AS refunds, sum(f.adjustments) AS adjustments, sum(f.late_items) AS late_items,
       (array_agg(f.closing ORDER BY f.business_date DESC))[1] AS closing, (array_agg(f.closing_from_lots ORDER BY f.business_date DESC))[1] AS closing_from_lots,
       (array_agg(f.opening ORDER BY f.business_date))[1] + sum(f.purchases) + sum(f.promotions) + sum(f.usage) + sum(f.credit_backs) + sum(f.refunds)
       + sum(f.adjustments) + sum(f.late_items) - (array_agg(f.closing_from_lots ORDER BY f.business_date DESC))[1] AS difference
FROM {{ books_of }} k
JOIN reconciler.roll_forward f ON f.business_date = k.business_date
WHERE f.business_date >= @from::date
GROUP BY 1
ORDER BY f.measure <> 'credits', f.measure COLLATE "C"
