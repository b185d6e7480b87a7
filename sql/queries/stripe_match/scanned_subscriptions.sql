-- What the night has to account for, counted by itself.
SELECT 'plan_changes' AS control, false AS again, '' AS unit, count(*) AS amount
FROM {{ valid_subscription_changes }} h WHERE h.effective_at >= @since::timestamptz AND h.effective_at < @as_of::timestamptz
UNION ALL
SELECT 'invoices', false, '', count(*)
FROM reconciler.stripe_invoices i WHERE i.subscription_id <> '' AND i.created_at >= @since::timestamptz AND i.created_at < @as_of::timestamptz
UNION ALL
SELECT 'invoices', false, i.currency, sum(i.total_minor)
FROM reconciler.stripe_invoices i WHERE i.subscription_id <> '' AND i.created_at >= @since::timestamptz AND i.created_at < @as_of::timestamptz
GROUP BY i.currency
UNION ALL
SELECT 'subscriptions', false, '', count(*) FROM reconciler.candidates k
WHERE k.business_date = @date::date AND k.job = 'subscriptions'
UNION ALL
SELECT * FROM (SELECT k.job, false, '', count(*) FROM reconciler.candidates k
               WHERE k.business_date = @date::date AND k.job = 'subscription_refunds' AND k.in_scan GROUP BY k.job) refunded
UNION ALL
SELECT * FROM (SELECT r.job, false, c.currency, sum(c.amount_minor) FROM reconciler.candidates r JOIN reconciler.stripe_refunds c ON c.id = r.subject_id
               WHERE r.business_date = @date::date AND r.job = 'subscription_refunds' AND r.in_scan GROUP BY r.job, c.currency) refunded
UNION ALL
SELECT * FROM (SELECT k.job, true, '', count(*) FROM reconciler.candidates k
               WHERE k.business_date = @date::date AND NOT k.in_scan
                 AND k.job IN ('plan_changes', 'invoices', 'subscription_refunds') GROUP BY k.job) again
