-- What the captured amount of charge c came to when it was settled, as of now: its captures less what came back of the authorisation.
(SELECT coalesce(sum(t.amount_minor), 0)::bigint AS settled_minor, coalesce(min(t.currency), '') AS currency
 FROM (SELECT t.amount_minor, t.currency FROM reconciler.stripe_balance_transactions t
       WHERE t.source_id = c.id AND t.reporting_category = 'charge'
       UNION ALL
       SELECT t.amount_minor, t.currency FROM reconciler.stripe_refunds r
       JOIN reconciler.stripe_balance_transactions t ON t.id = r.balance_transaction_id AND t.reporting_category = 'partial_capture_reversal'
       WHERE r.charge_id = c.id) t)
