-- Refunds made, or changed, since a counterpart could have been awaited, and those whose credits moved since.
INSERT INTO reconciler.candidates (business_date, job, account_id, subject_id, in_scan)
SELECT @date::date, @scope::text, '', r.id, r.created_at >= @since::timestamptz
FROM {{ refunds_as_of }} r
WHERE r.created_at >= @since::timestamptz
   OR r.id IN (SELECT h.object_id FROM reconciler.stripe_states h
               WHERE h.effective_at >= @since::timestamptz AND h.effective_at < @as_of::timestamptz)
   OR r.id IN (SELECT f.id
               FROM (SELECT DISTINCT e.account_id, e.purchase_id FROM {{ entries }} e
                     WHERE e.kind IN ('refund', 'refund_reversal') AND e.purchase_id <> ''
                       AND e.effective_at >= @since::timestamptz AND e.effective_at < @as_of::timestamptz) e
               JOIN {{ valid_purchases }} p ON p.id = e.purchase_id AND p.account_id = e.account_id
               CROSS JOIN LATERAL {{ main_charge }} c
               JOIN reconciler.stripe_refunds f ON f.charge_id = c.id)
