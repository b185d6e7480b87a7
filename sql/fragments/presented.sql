-- What balance transaction t moved in the currency that the customer was asked for, with its sign: that of its charge or refund, where it was
-- settled in another. charge_id and asked_minor of what a refund gave back of a charge, whose rate is another day's.
(SELECT coalesce(o.currency, t.currency) AS currency,
        CASE WHEN o.currency <> t.currency THEN sign(t.amount_minor)::bigint * o.amount_minor ELSE t.amount_minor END AS minor,
        CASE WHEN o.currency <> t.currency THEN o.charge_id END AS charge_id, o.amount_minor AS asked_minor
 FROM (SELECT 1) one
 LEFT JOIN LATERAL (
     -- A capture has an amount of its own where it did not take the whole charge at once.
     SELECT x.currency, coalesce((SELECT k.amount_minor FROM reconciler.stripe_captures k WHERE k.charge_id = x.id AND k.balance_transaction_id = t.id), x.amount_minor) AS amount_minor,
            NULL AS charge_id
     FROM reconciler.stripe_charges x
     WHERE x.id = t.source_id AND t.reporting_category IN ('charge', 'charge_failure')
     UNION ALL
     SELECT r.currency, r.amount_minor, CASE WHEN t.reporting_category <> 'partial_capture_reversal' THEN r.charge_id END FROM reconciler.stripe_refunds r
     WHERE r.id = t.source_id AND t.reporting_category IN ('refund', 'refund_failure', 'partial_capture_reversal')) o ON true)
