-- What charge c brought and cost as of the night, by policy version v: the sum over all balance transactions of the charge and its captures,
-- less what came back with a partial capture's reversal; fees that were booked in rows of their own included. captured_minor is in the
-- charge's currency, the rest in the settlement's, and null until Stripe has posted the whole of it, the fee also while more may be captured: a decision
-- that needs it waits.
-- reconcile.Payment is the home of what follows.
(SELECT c.captured_minor, s.currency AS settled_currency,
        CASE WHEN s.is_known THEN s.settled_minor END AS settled_minor, CASE WHEN s.is_known AND c.captured THEN s.fee_minor END AS fee_minor
 FROM (SELECT min(t.currency) AS currency,
              coalesce(sum(t.amount_minor) FILTER (WHERE t.moves_money AND t.is_past), 0)::bigint AS settled_minor,
              coalesce(sum(t.fee_minor - coalesce((SELECT sum(f.value::bigint) FROM jsonb_each_text(t.other_fees) f
                                                   WHERE f.key <> ALL (coalesce(v.other_fees_withheld, '{}'))), 0)
                           - CASE WHEN t.moves_money THEN 0 ELSE t.amount_minor END) FILTER (WHERE t.is_past), 0)::bigint AS fee_minor,
              bool_or(t.is_past AND t.reporting_category = 'charge') AND bool_or(t.id = c.balance_transaction_id)
                  AND NOT bool_or(NOT t.is_past AND t.reporting_category = 'partial_capture_reversal')
                  AND min(t.currency) = max(t.currency) AS is_known
       FROM (SELECT t.id, t.currency, t.amount_minor, t.fee_minor, t.other_fees, t.reporting_category,
                    t.reporting_category IN ('charge', 'partial_capture_reversal') AS moves_money, t.created_at < @as_of::timestamptz AS is_past
             FROM (SELECT t.* FROM reconciler.stripe_balance_transactions t
                   WHERE t.source_id = c.id AND t.source_id <> ''
                     AND (t.reporting_category IN ('charge', 'fee', 'tax')
                          OR t.reporting_category = 'network_cost' AND 'payment_method_passthrough_fee' = ANY (v.other_fees_withheld))
                   UNION ALL
                   SELECT t.* FROM reconciler.stripe_refunds r
                   JOIN reconciler.stripe_balance_transactions t ON t.id = r.balance_transaction_id AND t.reporting_category = 'partial_capture_reversal'
                   WHERE r.charge_id = c.id) t) t) s)
