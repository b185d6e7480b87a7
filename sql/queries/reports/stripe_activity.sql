SELECT reporting_category, currency, count, gross, fee, net
FROM reconciler.stripe_activity
WHERE business_date = @date::date
ORDER BY reporting_category COLLATE "C", currency COLLATE "C"
