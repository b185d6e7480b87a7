-- Purchases a refund or a dispute of which began, or changed, between @begin and @as_of: found from Stripe's side, so that it costs what
-- happened and not what there is.
(SELECT DISTINCT p.id AS purchase_id, p.account_id
 FROM (SELECT r.charge_id FROM reconciler.stripe_states h JOIN reconciler.stripe_refunds r ON r.id = h.object_id
       WHERE h.effective_at >= @begin::timestamptz AND h.effective_at < @as_of::timestamptz
       UNION
       SELECT d.charge_id FROM reconciler.stripe_states h JOIN reconciler.stripe_disputes d ON d.id = h.object_id
       WHERE h.effective_at >= @begin::timestamptz AND h.effective_at < @as_of::timestamptz) moved
 JOIN reconciler.stripe_charges c ON c.id = moved.charge_id
 CROSS JOIN LATERAL {{ purchase_of_charge }} p)
