-- What the night has to account for, counted by itself.
SELECT 'changes of plan' AS check_name, '' AS unit, count(*)::text AS amount
FROM {{ valid_subscription_changes }} h WHERE h.effective_at >= @since::timestamptz AND h.effective_at < @as_of::timestamptz
UNION ALL
SELECT 'invoices of subscriptions', '', count(*)::text
FROM reconciler.stripe_invoices i WHERE i.subscription_id <> '' AND i.created_at >= @since::timestamptz AND i.created_at < @as_of::timestamptz
UNION ALL
SELECT 'invoices of subscriptions', i.currency, sum(i.total_minor)::text
FROM reconciler.stripe_invoices i WHERE i.subscription_id <> '' AND i.created_at >= @since::timestamptz AND i.created_at < @as_of::timestamptz
GROUP BY i.currency
UNION ALL
SELECT 'subscriptions and their access', '', count(*)::text FROM reconciler.candidates k
WHERE k.business_date = @date::date AND k.job = 'subscriptions and their access'
UNION ALL
SELECT * FROM (SELECT k.job, '', count(*)::text FROM reconciler.candidates k
               WHERE k.business_date = @date::date AND k.job = 'refunds of subscriptions' AND k.in_scan GROUP BY k.job) refunded
UNION ALL
SELECT * FROM (SELECT r.job, c.currency, sum(c.amount_minor)::text FROM reconciler.candidates r JOIN reconciler.stripe_refunds c ON c.id = r.subject_id
               WHERE r.business_date = @date::date AND r.job = 'refunds of subscriptions' AND r.in_scan GROUP BY r.job, c.currency) refunded
UNION ALL
SELECT * FROM (SELECT k.job || ' again', '', count(*)::text FROM reconciler.candidates k
               WHERE k.business_date = @date::date AND NOT k.in_scan
                 AND k.job IN ('changes of plan', 'invoices of subscriptions', 'refunds of subscriptions') GROUP BY k.job) again
