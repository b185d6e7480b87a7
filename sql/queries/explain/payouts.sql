-- A payout, what it became each time it changed, and what it consists of, by category and one by one.
SELECT p.created_at AS at, 'Stripe payout ' || p.id AS source, '' AS clause,
       'payout ' || p.id || ' of ' || {{ amount_mark }} || p.amount_minor || ' ' || p.currency || {{ amount_mark }} || ' ('
           || CASE WHEN p.automatic THEN 'automatic' ELSE 'made by hand' END || ', ' || p.method || '), at the bank on '
       || to_char(p.arrival_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') || '; now ' || p.status || CASE WHEN p.failure_code <> '' THEN ' because of ' || p.failure_code ELSE '' END
       || CASE WHEN p.automatic AND NOT p.broken_down THEN '; Stripe has not said yet what it consists of' ELSE '' END AS says
FROM reconciler.stripe_payouts p WHERE p.id = ANY (@ids::text[])
UNION ALL
SELECT max(t.created_at), 'payout_items.csv', '', count(*) || ' x ' || t.reporting_category || ': ' || {{ amount_mark }} || sum(t.amount_minor) || ' '
    || t.currency || {{ amount_mark }} || ', fees ' || {{ amount_mark }} || sum(t.fee_minor) || ' ' || t.currency || {{ amount_mark }}
       || ', net ' || {{ amount_mark }} || sum(t.net_minor) || ' ' || t.currency || {{ amount_mark }}
FROM reconciler.stripe_balance_transactions t
LEFT JOIN reconciler.stripe_payouts p ON p.id = t.payout_id
WHERE t.payout_id = ANY (@ids::text[]) AND t.payout_id <> '' AND t.id IS DISTINCT FROM p.balance_transaction_id
GROUP BY t.payout_id, t.reporting_category, t.currency
UNION ALL -- each of them, as many as somebody reads
SELECT i.created_at, 'payout_items.csv', '', CASE WHEN i.n <= 200 THEN i.reporting_category || ' of ' || coalesce(nullif(i.source_id, ''), 'no object') || ' (' || i.id || '): '
       || {{ amount_mark }} || i.amount_minor || ' ' || i.currency || {{ amount_mark }} || ', fee ' || {{ amount_mark }} || i.fee_minor || ' ' || i.currency || {{ amount_mark }}
       || ', net ' || {{ amount_mark }} || i.net_minor || ' ' || i.currency || {{ amount_mark }} ELSE 'and ' || i.items - 200 || ' more, in payout_items.csv' END
FROM (SELECT t.*, row_number() OVER (PARTITION BY t.payout_id ORDER BY t.created_at, t.id COLLATE "C") AS n, count(*) OVER (PARTITION BY t.payout_id) AS items
      FROM reconciler.stripe_balance_transactions t
      LEFT JOIN reconciler.stripe_payouts p ON p.id = t.payout_id
      WHERE t.payout_id = ANY (@ids::text[]) AND t.payout_id <> '' AND t.id IS DISTINCT FROM p.balance_transaction_id) i
WHERE i.n <= 201
UNION ALL
SELECT (SELECT max(r.as_of) FROM reconciler.runs r WHERE r.business_date = o.business_date), 'payouts.csv of ' || o.business_date, '',
       'its transactions are worth ' || {{ amount_mark }} || o.net_minor || ' ' || o.currency || {{ amount_mark }} || ': ' || replace(o.tie_out, '_', ' ')
       || CASE WHEN o.residual_minor <> 0 THEN ', ' || {{ amount_mark }} || o.residual_minor || ' ' || o.currency || {{ amount_mark }} || ' not explained' ELSE '' END
FROM (SELECT o.*, lag(o.tie_out) OVER (PARTITION BY o.payout_id ORDER BY o.business_date) AS before FROM reconciler.payout_tie_outs o WHERE o.payout_id = ANY (@ids::text[])) o
WHERE o.before IS DISTINCT FROM o.tie_out
