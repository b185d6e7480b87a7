-- A charge with each of its transactions: captures, and what a partial capture left.
SELECT c.created_at AS at, 'Stripe charge ' || c.id AS source, '' AS clause,
       'charge ' || c.id || ' (' || c.method || '): ' || {{ amount_mark }} || c.amount_minor || ' ' || c.currency || {{ amount_mark }} || ', ' || c.status
       || CASE WHEN c.captured_minor NOT IN (0, c.amount_minor) THEN '; captured ' || {{ amount_mark }} || c.captured_minor || ' ' || c.currency || {{ amount_mark }} ELSE '' END
       || CASE WHEN c.status = 'succeeded' AND c.captured_minor > 0 AND NOT c.captured THEN ', and more may be' ELSE '' END
       || coalesce('; ' || x.settled, '; Stripe has not posted it to the balance yet')
       || coalesce('; of invoice ' || i.id || ', which took ' || {{ amount_mark }} || i.from_balance_minor || ' ' || i.currency || {{ amount_mark }}
           || ' from the customer''s balance', '') AS says
FROM reconciler.stripe_charges c
LEFT JOIN reconciler.stripe_invoices i ON i.id = c.invoice_id AND i.from_balance_minor <> 0
LEFT JOIN LATERAL (SELECT string_agg(CASE t.reporting_category WHEN 'charge' THEN 'settled as ' WHEN 'charge_failure' THEN 'failed after all: '
                                                                       ELSE 'taken back, as only a part was captured: ' END
                                     || {{ amount_mark }} || t.amount_minor || ' ' || t.currency || {{ amount_mark }}
                                     || ', fee ' || {{ amount_mark }} || t.fee_minor || ' ' || t.currency || {{ amount_mark }}
                                     || ' (tax ' || {{ amount_mark }} || t.fee_tax_minor || ' ' || t.currency || {{ amount_mark }}
                                     || coalesce((SELECT string_agg(', ' || f.key || ' ' || {{ amount_mark }} || f.value || ' ' || t.currency || {{ amount_mark }}, '' ORDER BY f.key)
                                                  FROM jsonb_each_text(t.other_fees) f), '') || ')', '; ' ORDER BY t.created_at, t.amount_minor < 0, t.id) AS settled
                   FROM (SELECT t.* FROM reconciler.stripe_balance_transactions t WHERE t.source_id = c.id AND t.source_id <> '' AND t.reporting_category IN ('charge', 'charge_failure')
                         UNION ALL
                         SELECT t.* FROM reconciler.stripe_refunds r
                         JOIN reconciler.stripe_balance_transactions t ON t.id = r.balance_transaction_id AND t.reporting_category = 'partial_capture_reversal'
                         WHERE r.charge_id = c.id) t) x ON true
WHERE c.id = ANY (@ids::text[])
UNION ALL
SELECT r.created_at, 'Stripe refund ' || r.id, '2.2', 'refund ' || r.id || ': ' || {{ amount_mark }} || r.amount_minor || ' ' || r.currency || {{ amount_mark }} || ', ' || r.status
       || CASE WHEN r.failure_reason <> '' THEN ' because of ' || r.failure_reason ELSE '' END
FROM reconciler.stripe_refunds r
WHERE r.charge_id = ANY (@ids::text[])
  AND {{ money_back }}
UNION ALL
SELECT d.created_at, 'Stripe dispute ' || d.id, '5.1', 'dispute ' || d.id || ' over ' || {{ amount_mark }} || d.amount_minor || ' ' || d.currency
    || {{ amount_mark }} || ': ' || d.reason || '; now ' || d.status
       || coalesce((SELECT ' since ' || to_char(max(h.effective_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') FROM reconciler.stripe_states h
                    WHERE h.object_id = d.id AND h.status = d.status), '')
       || CASE WHEN d.status = 'lost' AND m.returned_minor > 0 THEN ', partly won' ELSE '' END
       || coalesce('; withdrawn ' || {{ amount_mark }} || m.withdrawn_minor || ' ' || m.currency || {{ amount_mark }}
                   || ', returned ' || {{ amount_mark }} || m.returned_minor || ' ' || m.currency || {{ amount_mark }}
                   || ', fees ' || {{ amount_mark }} || m.fees_minor || ' ' || m.currency || {{ amount_mark }}, '')
       -- Evidence is asked for until some was sent.
       || CASE WHEN d.status NOT IN ('won', 'lost') AND d.status NOT LIKE '%under_review' AND d.status NOT LIKE '%closed'
               THEN coalesce('; evidence is due by ' || to_char(d.evidence_due_by AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI'), '') ELSE '' END
FROM reconciler.stripe_disputes d
LEFT JOIN LATERAL (SELECT sum(m.withdrawn_minor)::bigint AS withdrawn_minor, sum(m.returned_minor)::bigint AS returned_minor,
                          sum(m.fees_minor)::bigint AS fees_minor, min(m.currency) AS currency FROM {{ dispute_moves }} m) m ON true
WHERE d.charge_id = ANY (@ids::text[])
