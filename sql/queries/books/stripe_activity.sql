-- Balance transactions that the journal books tonight: charges and fees summed up, what concerns single refunds, disputes and payouts one by
-- one. Presented is the customer's amount, where that is in another currency than its settlement; at_charge_rate what it had come to when its
-- charge was settled.
SELECT category, source, currency, presented_currency, count(*) AS count, sum(amount_minor) AS amount, sum(fee_minor) AS fee,
       sum(presented) AS presented, max(at_charge_rate) AS at_charge_rate
FROM (SELECT t.reporting_category AS category,
             CASE WHEN t.reporting_category IN ('refund', 'refund_failure', 'dispute', 'dispute_reversal', 'payout', 'payout_reversal') THEN t.id ELSE '' END AS source,
             t.currency, t.amount_minor, t.fee_minor, o.currency AS presented_currency, o.minor AS presented, sign(t.amount_minor::numeric) * rate.settled_minor AS at_charge_rate
      FROM {{ transactions_booked }} t
      CROSS JOIN LATERAL {{ presented }} o
      LEFT JOIN reconciler.stripe_charges c ON c.id = o.charge_id
      LEFT JOIN LATERAL (SELECT r.settled_minor FROM (SELECT o.asked_minor AS minor, t.currency) asked CROSS JOIN LATERAL {{ at_charge_rate }} r) rate ON c.id IS NOT NULL) x
GROUP BY 1, 2, 3, 4
ORDER BY 1, 2, 3, 4
