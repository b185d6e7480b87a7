-- Balance transactions from where the journal had got to, and what has turned up from before that: charges and fees summed up, what concerns single refunds, disputes and payouts
-- one by one, and the failed payments of booked purchases. Presented is the customer's amount, where that is in another currency than its
-- settlement; at_charge_rate what it had come to when its charge was settled.
SELECT category, source, currency, presented_currency, sold, count(*) AS count, sum(amount_minor)::text AS amount, sum(fee_minor)::text AS fee,
       sum(presented)::text AS presented, max(at_charge_rate)::text AS at_charge_rate
FROM (SELECT t.reporting_category AS category,
             CASE WHEN f.sold OR t.reporting_category IN ('refund', 'refund_failure', 'dispute', 'dispute_reversal', 'payout', 'payout_reversal') THEN t.id ELSE '' END AS source,
             t.currency, t.amount_minor, t.fee_minor, coalesce(f.sold, false) AS sold,
             coalesce(o.currency, t.currency) AS presented_currency,
             CASE WHEN o.currency <> t.currency THEN sign(t.amount_minor)::bigint * o.amount_minor ELSE t.amount_minor END AS presented,
             CASE WHEN o.currency <> t.currency THEN sign(t.amount_minor) * rate.settled END AS at_charge_rate
      FROM (
          SELECT n.* FROM reconciler.stripe_balance_transactions n
          WHERE n.created_at >= @from::timestamptz AND n.created_at < @as_of::timestamptz
            AND NOT EXISTS (SELECT FROM reconciler.stripe_late l WHERE l.id = n.id AND l.booked_on IS DISTINCT FROM @date::date)
          UNION ALL
          -- What is from before the books is in their opening, where this night opens them.
          SELECT n.* FROM reconciler.stripe_late l JOIN reconciler.stripe_balance_transactions n ON n.id = l.id
          WHERE l.booked_on = @date::date AND l.created_at < @from::timestamptz AND (l.created_at >= @books_begin::timestamptz OR NOT @opens::boolean)) t
      LEFT JOIN LATERAL (
          -- A capture has an amount of its own where it did not take the whole charge at once.
          SELECT c.currency, coalesce((SELECT k.amount_minor FROM reconciler.stripe_captures k WHERE k.charge_id = c.id AND k.balance_transaction_id = t.id), c.amount_minor) AS amount_minor,
                 NULL AS charge_id
          FROM reconciler.stripe_charges c
          WHERE c.id = t.source_id AND t.reporting_category IN ('charge', 'charge_failure')
          UNION ALL
          SELECT r.currency, r.amount_minor, CASE WHEN t.reporting_category <> 'partial_capture_reversal' THEN r.charge_id END FROM reconciler.stripe_refunds r
          WHERE r.id = t.source_id AND t.reporting_category IN ('refund', 'refund_failure', 'partial_capture_reversal')) o ON true
      -- What a refund gives back had come to so much, half up.
      LEFT JOIN LATERAL (
          SELECT div(2 * o.amount_minor::numeric * s.settled_minor + c.captured_minor, 2 * c.captured_minor) AS settled
          FROM reconciler.stripe_charges c CROSS JOIN LATERAL {{ charge_settled }} s
          WHERE c.id = o.charge_id AND c.captured_minor > 0 AND s.currency = t.currency) rate ON o.currency <> t.currency
      LEFT JOIN LATERAL (
          SELECT true AS sold
          FROM reconciler.stripe_charges c
          CROSS JOIN LATERAL {{ purchase_of_charge }} p
          JOIN reconciler.booked_purchases b ON b.account_id = p.account_id AND b.purchase_id = p.id AND b.booked_at < @as_of::timestamptz
          WHERE c.id = t.source_id) f ON t.reporting_category = 'charge_failure') x
GROUP BY 1, 2, 3, 4, 5
ORDER BY 1, 2, 3, 4, 5
