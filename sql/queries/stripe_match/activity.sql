-- As Stripe's own balance summary groups it.
INSERT INTO reconciler.stripe_activity (business_date, reporting_category, currency, count, gross, fee, net)
SELECT @date::date, t.reporting_category, t.currency, count(*), sum(t.amount_minor), sum(t.fee_minor), sum(t.net_minor)
FROM reconciler.stripe_balance_transactions t
WHERE t.created_at >= @begin::timestamptz AND t.created_at < @as_of::timestamptz
GROUP BY t.reporting_category, t.currency
