-- Balance transactions that the lists no longer reach, and that objects name which were read again all the same: charges one by one, refunds of a month
-- with all others. A fee or a refund's transaction was not known for days.
SELECT 'balance_transactions' AS stream, named.id
FROM (SELECT unnest(ARRAY[c.balance_transaction_id, c.failure_balance_transaction_id]) AS id FROM reconciler.stripe_charges c WHERE c.id = ANY (@charges::text[])
      UNION SELECT unnest(ARRAY[r.balance_transaction_id, r.failure_balance_transaction_id]) FROM reconciler.stripe_refunds r
      WHERE r.id = ANY (@refunds::text[]) OR r.created_at >= to_timestamp(@since::bigint)) named
WHERE named.id <> '' AND NOT EXISTS (SELECT FROM reconciler.stripe_balance_transactions t WHERE t.id = named.id)
ORDER BY named.id
