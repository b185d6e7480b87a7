-- What Stripe held before the books began.
SELECT currency, sum(net_minor)::text AS net FROM reconciler.stripe_balance_transactions
WHERE created_at < @books_begin::timestamptz
GROUP BY 1 ORDER BY 1
