-- Charges as of the night: amount_minor is what was asked for, captured_minor what the customer had paid of it by then.
(SELECT c.id, c.payment_intent_id, c.invoice_id, c.customer_id, c.metadata_purchase_id, c.method, c.amount_minor,
        (c.captured_minor - k.later_minor)::bigint AS captured_minor, c.currency, CASE WHEN s.status = 'uncaptured' THEN 'succeeded' ELSE s.status END AS status,
        s.effective_at AS status_since, s.status = 'succeeded' AND c.captured_minor > k.later_minor AS captured, c.failure_code,
        c.balance_transaction_id, c.created_at
 FROM reconciler.stripe_charges c
 CROSS JOIN LATERAL (SELECT h.status, h.effective_at FROM reconciler.stripe_states h
                     WHERE h.object_id = c.id AND h.effective_at < @as_of::timestamptz
                     ORDER BY h.effective_at DESC, h.seen_at DESC LIMIT 1) s
 CROSS JOIN LATERAL (SELECT coalesce(sum(k.amount_minor), 0) AS later_minor FROM reconciler.stripe_captures k
                     WHERE k.charge_id = c.id AND k.captured_at >= @as_of::timestamptz) k
 WHERE c.created_at < @as_of::timestamptz)
