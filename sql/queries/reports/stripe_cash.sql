SELECT currency, opening_minor, activity_minor, payouts_minor, closing_minor, available_minor, pending_minor, balance_at, after_minor,
       stripe_available_minor, stripe_pending_minor, residual_minor
FROM reconciler.stripe_cash
WHERE business_date = @date::date
ORDER BY currency COLLATE "C"
