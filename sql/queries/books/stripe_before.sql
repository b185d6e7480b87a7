-- What Stripe held before the books began.
SELECT currency, sum(net_minor) AS net FROM reconciler.stripe_balance_transactions
WHERE created_at < @books_begin::timestamptz
  AND id NOT IN (SELECT l.id FROM reconciler.stripe_late l WHERE l.booked_on IS DISTINCT FROM @date::date)
GROUP BY 1 ORDER BY 1
