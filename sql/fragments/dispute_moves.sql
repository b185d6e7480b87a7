-- What each balance transaction that names dispute d moved, by its reporting category; settlement currency. A fee or a reversal in a row of its
-- own is the dispute's like any other. reconcile.DisputeMoney is what their sums are read into.
(SELECT t.id, t.created_at, t.currency,
        CASE WHEN t.reporting_category = 'dispute' THEN -t.amount_minor ELSE 0 END AS withdrawn_minor,
        CASE WHEN t.reporting_category = 'dispute_reversal' THEN t.amount_minor ELSE 0 END AS returned_minor,
        t.fee_minor - CASE WHEN t.reporting_category IN ('dispute', 'dispute_reversal') THEN 0 ELSE t.amount_minor END AS fees_minor
 FROM reconciler.stripe_balance_transactions t
 WHERE t.source_id = d.id AND t.source_id <> '' AND t.reporting_category IN ('dispute', 'dispute_reversal', 'fee', 'network_cost', 'tax'))
