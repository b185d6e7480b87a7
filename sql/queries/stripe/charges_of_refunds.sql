-- A refund may name its payment intent only: it is of the charge that the intent was paid by.
UPDATE reconciler.stripe_refunds r SET charge_id = paid.id
FROM (SELECT r.id AS refund_id, c.id
      FROM reconciler.stripe_refunds r
      CROSS JOIN LATERAL (SELECT c.id FROM reconciler.stripe_charges c
                          WHERE c.payment_intent_id = r.payment_intent_id AND c.payment_intent_id <> ''
                          ORDER BY c.status = 'failed', c.created_at DESC, c.id LIMIT 1) c
      WHERE r.charge_id = '' AND r.payment_intent_id <> '') paid
WHERE r.id = paid.refund_id
