-- Charges as of the night: amount_minor is what was asked for, captured_minor what the customer had paid of it by then, captured whether that was all:
-- no more of it could be captured.
(SELECT c.id, c.payment_intent_id, c.invoice_id, c.customer_id, c.metadata_purchase_id, c.method, c.amount_minor,
        CASE WHEN s.status = 'uncaptured' THEN 0 ELSE c.captured_minor - k.later_minor END::bigint AS captured_minor, c.currency,
        CASE WHEN s.status IN ('uncaptured', 'partly_captured') THEN 'succeeded' ELSE s.status END AS status, s.status_since,
        s.status NOT IN ('uncaptured', 'partly_captured') AND k.later_minor = 0 AS captured, c.failure_code, c.balance_transaction_id, c.created_at
 FROM reconciler.stripe_charges c
 -- Money is there from the first capture on, however many follow it.
 CROSS JOIN LATERAL (SELECT h.status, CASE WHEN h.status = 'succeeded'
                                           THEN (SELECT min(f.effective_at) FROM reconciler.stripe_states f WHERE f.object_id = c.id AND f.status IN ('partly_captured', 'succeeded'))
                                           ELSE h.effective_at END AS status_since
                     FROM reconciler.stripe_states h
                     WHERE h.object_id = c.id AND h.effective_at < @as_of::timestamptz
                     ORDER BY h.effective_at DESC, h.seen_at DESC LIMIT 1) s
 CROSS JOIN LATERAL (SELECT coalesce(sum(k.amount_minor), 0) AS later_minor FROM reconciler.stripe_captures k
                     WHERE k.charge_id = c.id AND k.captured_at >= @as_of::timestamptz) k
 WHERE c.created_at < @as_of::timestamptz)
