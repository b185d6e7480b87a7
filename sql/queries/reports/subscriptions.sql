SELECT subscription_id, account_id, stripe_subscription_id, plan, status, stripe_status, current_period_start, current_period_end, paid_through,
       access_ends_at, invoices, invoiced_minor, paid_minor, prorated_minor, refunded_minor, currency, changes, tie_out
FROM reconciler.subscription_checks
WHERE business_date = @date::date
ORDER BY subscription_id COLLATE "C", account_id COLLATE "C"
