-- Balance transactions from where the journal had got to: charges and fees summed up, what concerns single refunds, disputes and payouts
-- one by one. Presented is the customer's amount, where that is in another currency than its settlement.
SELECT category, source, currency, presented_currency, count(*) AS count, sum(amount_minor)::text AS amount, sum(fee_minor)::text AS fee,
       sum(presented)::text AS presented
FROM (SELECT t.reporting_category AS category,
             CASE WHEN t.reporting_category IN ('refund', 'refund_failure', 'dispute', 'dispute_reversal', 'payout', 'payout_reversal') THEN t.id ELSE '' END AS source,
             t.currency, t.amount_minor, t.fee_minor,
             coalesce(o.currency, t.currency) AS presented_currency,
             CASE WHEN o.currency <> t.currency THEN sign(t.amount_minor)::bigint * o.amount_minor ELSE t.amount_minor END AS presented
      FROM reconciler.stripe_balance_transactions t
      LEFT JOIN LATERAL (
          -- A capture has an amount of its own where it did not take the whole charge at once.
          SELECT c.currency, coalesce((SELECT k.amount_minor FROM reconciler.stripe_captures k WHERE k.charge_id = c.id AND k.balance_transaction_id = t.id), c.amount_minor) AS amount_minor
          FROM reconciler.stripe_charges c
          WHERE c.id = t.source_id AND t.reporting_category IN ('charge', 'charge_failure')
          UNION ALL
          SELECT r.currency, r.amount_minor FROM reconciler.stripe_refunds r
          WHERE r.id = t.source_id AND t.reporting_category IN ('refund', 'refund_failure', 'partial_capture_reversal')) o ON true
      WHERE t.created_at >= @from::timestamptz AND t.created_at < @through::timestamptz) x
GROUP BY 1, 2, 3, 4
ORDER BY 1, 2, 3, 4
