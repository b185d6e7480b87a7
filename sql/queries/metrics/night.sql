-- What the newest night came to. Without a key Stripe is not looked at by choice, which is no failure.
SELECT (SELECT count(*) FROM reconciler.late_items WHERE booked_on = @date::date) AS late_items,
       (SELECT count(*) FROM reconciler.credit_backs WHERE business_date = @date::date AND decision = 'credited') AS credit_backs,
       (SELECT coalesce(sum(credit_back), 0)::double precision FROM reconciler.credit_backs WHERE business_date = @date::date AND decision = 'credited') AS credits,
       EXISTS (SELECT 1 FROM reconciler.stripe_syncs WHERE business_date = @date::date AND status = 'failed') AS stripe_sync_failed
