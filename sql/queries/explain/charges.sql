SELECT c.created_at AS at, 'Stripe charge ' || c.id AS source, '' AS clause,
       'charge ' || c.id || ' (' || c.method || '): ' || {{ amount_mark }} || c.amount_minor || ' ' || c.currency || {{ amount_mark }} || ', ' || c.status
       || coalesce('; settled as ' || {{ amount_mark }} || t.amount_minor || ' ' || t.currency || {{ amount_mark }} || ', fee ' || {{ amount_mark }} || t.fee_minor || ' ' || t.currency || {{ amount_mark }}
                   || ' (tax ' || {{ amount_mark }} || t.fee_tax_minor || ' ' || t.currency || {{ amount_mark }} || ')', '; Stripe has not posted it to the balance yet') AS says
FROM reconciler.stripe_charges c
LEFT JOIN reconciler.stripe_balance_transactions t ON t.id = c.balance_transaction_id
WHERE c.id = ANY (@ids::text[])
UNION ALL
SELECT r.created_at, 'Stripe refund ' || r.id, '2.2', 'refund ' || r.id || ': ' || {{ amount_mark }} || r.amount_minor || ' ' || r.currency || {{ amount_mark }} || ', ' || r.status
       || CASE WHEN r.failure_reason <> '' THEN ' because of ' || r.failure_reason ELSE '' END
FROM reconciler.stripe_refunds r WHERE r.charge_id = ANY (@ids::text[])
UNION ALL
SELECT d.created_at, 'Stripe dispute ' || d.id, '5.1', 'dispute ' || d.id || ' over ' || {{ amount_mark }} || d.amount_minor || ' ' || d.currency || {{ amount_mark }} || ': ' || d.reason || '; now ' || d.status
FROM reconciler.stripe_disputes d WHERE d.charge_id = ANY (@ids::text[])
