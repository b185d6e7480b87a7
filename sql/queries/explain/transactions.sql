-- Balance transactions by their ids, and those of charges, with their refunds and disputes: what Stripe's balance got of them, and in which payout
-- it left.
SELECT t.created_at AS at, 'Stripe balance transaction ' || t.id AS source, '' AS clause,
       t.reporting_category || ' of ' || coalesce(nullif(t.source_id, ''), 'no object') || ': ' || {{ amount_mark }} || t.amount_minor || ' ' || t.currency
           || {{ amount_mark }} || ', fee ' || {{ amount_mark }} || t.fee_minor || ' ' || t.currency || {{ amount_mark }}
       || ', net ' || {{ amount_mark }} || t.net_minor || ' ' || t.currency || {{ amount_mark }}
       || CASE WHEN p.id IS NOT NULL THEN '; in payout ' || p.id || ', ' || p.status || ', at the bank on ' || to_char(p.arrival_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')
               WHEN t.payout_id <> '' THEN '; in payout ' || t.payout_id
               ELSE '; available from ' || to_char(t.available_on AT TIME ZONE 'UTC', 'YYYY-MM-DD') || ', in no payout yet' END AS says
FROM (SELECT t.id FROM reconciler.stripe_balance_transactions t WHERE t.id = ANY (@ids::text[])
      UNION SELECT t.id FROM reconciler.stripe_balance_transactions t WHERE t.source_id = ANY (@ids::text[]) AND t.source_id <> ''
      UNION SELECT t.id FROM reconciler.stripe_refunds r JOIN reconciler.stripe_balance_transactions t ON t.source_id = r.id AND t.source_id <> '' WHERE r.charge_id = ANY (@ids::text[])
      UNION SELECT t.id FROM reconciler.stripe_disputes d JOIN reconciler.stripe_balance_transactions t ON t.source_id = d.id AND t.source_id <> ''
          WHERE d.charge_id = ANY (@ids::text[])) one
JOIN reconciler.stripe_balance_transactions t ON t.id = one.id
LEFT JOIN reconciler.stripe_payouts p ON p.id = t.payout_id
