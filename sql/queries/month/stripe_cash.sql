-- Stripe's balance through the nights from @from through @date, and what the last night that could compare it found.
SELECT c.currency, (array_agg(c.opening_minor ORDER BY c.business_date))[1] AS opening_minor, sum(c.activity_minor) AS activity_minor,
       sum(c.payouts_minor) AS payouts_minor, (array_agg(c.closing_minor ORDER BY c.business_date DESC))[1] AS closing_minor,
       (array_agg(c.residual_minor ORDER BY c.business_date DESC) FILTER (WHERE c.residual_minor IS NOT NULL))[1] AS residual_minor,
       max(c.business_date) FILTER (WHERE c.residual_minor IS NOT NULL) AS compared_on
FROM {{ books_of }} k
JOIN reconciler.stripe_cash c ON c.business_date = k.business_date
WHERE c.business_date >= @from::date
GROUP BY 1
ORDER BY c.currency COLLATE "C"
