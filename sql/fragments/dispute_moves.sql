-- What each balance transaction that names dispute d moved, by its reporting category; settlement currency. A fee or a reversal in a row of its
-- own is the dispute's like any other. What is withdrawn after money had come back takes that back first, so that a dispute which is lost after it
-- was won has nothing returned; where it was converted, a withdrawal of about as much takes back all of it, at another rate.
-- reconcile.DisputeMoney is what their sums are read into.
(SELECT t.id, t.created_at, t.currency,
        CASE WHEN t.reporting_category = 'dispute' THEN -t.amount_minor - t.again_minor ELSE 0 END AS withdrawn_minor,
        CASE WHEN t.reporting_category = 'dispute_reversal' THEN t.amount_minor WHEN t.reporting_category = 'dispute' THEN -t.again_minor ELSE 0 END AS returned_minor,
        t.fee_minor - CASE WHEN t.reporting_category IN ('dispute', 'dispute_reversal') THEN 0 ELSE t.amount_minor END AS fees_minor
 FROM (SELECT t.*, CASE WHEN -t.amount_minor >= t.back_minor OR t.currency <> d.currency AND -t.amount_minor * 100::numeric >= t.back_minor * 80 THEN t.back_minor
                        ELSE -t.amount_minor END AS again_minor
       FROM (SELECT t.*, greatest(0, coalesce(sum(t.amount_minor) FILTER (WHERE t.reporting_category = 'dispute_reversal' OR t.reporting_category = 'dispute' AND t.is_again) OVER so_far, 0))::bigint
                         * (t.reporting_category = 'dispute')::int AS back_minor
             FROM (SELECT t.id, t.created_at, t.currency, t.reporting_category, t.amount_minor, t.fee_minor,
                          count(*) FILTER (WHERE t.reporting_category = 'dispute_reversal') OVER (ORDER BY t.created_at, t.id) > 0 AS is_again
                   FROM reconciler.stripe_balance_transactions t
                   WHERE t.source_id = d.id AND t.source_id <> '' AND t.reporting_category IN ('dispute', 'dispute_reversal', 'fee', 'network_cost', 'tax')) t
             WINDOW so_far AS (ORDER BY t.created_at, t.id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)) t) t)
