-- Balance transactions by their ids, and those of charges, with their refunds and disputes: what Stripe's balance got of them, and in which payout it left.
SELECT t.created_at AS at, 'Stripe balance transaction ' || t.id AS source, '' AS clause,
       t.reporting_category || ' of ' || coalesce(nullif(t.source_id, ''), 'no object') || ': ' || {{ amount_mark }} || t.amount_minor || ' ' || t.currency || {{ amount_mark }} || ', fee ' || {{ amount_mark }} || t.fee_minor || ' ' || t.currency || {{ amount_mark }}
       || ', net ' || {{ amount_mark }} || t.net_minor || ' ' || t.currency || {{ amount_mark }}
       || CASE WHEN p.id IS NOT NULL THEN '; in payout ' || p.id || ', ' || p.status || ', at the bank on ' || to_char(p.arrival_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')
               WHEN t.payout_id <> '' THEN '; in payout ' || t.payout_id
               ELSE '; available from ' || to_char(t.available_on AT TIME ZONE 'UTC', 'YYYY-MM-DD') || ', in no payout yet' END AS says
FROM reconciler.stripe_balance_transactions t
LEFT JOIN reconciler.stripe_payouts p ON p.id = t.payout_id
WHERE t.id = ANY (@ids::text[])
   OR t.source_id = ANY (@ids::text[])
   OR t.source_id IN (SELECT r.id FROM reconciler.stripe_refunds r WHERE r.charge_id = ANY (@ids::text[]) UNION ALL SELECT d.id FROM reconciler.stripe_disputes d WHERE d.charge_id = ANY (@ids::text[]))
