-- Lots that a refund took out or brought back tonight, with the fees that the decision withholds; where there is none, those that the policy does. It
-- knows no refund of a subscription charge, so that nothing is withheld of one.
SELECT x.account_id, x.purchase_id, x.currency, x.amount_minor, x.direction, x.is_late, x.value_before::text AS value_before, x.value_after::text AS value_after,
       coalesce(s.is_before, false) AND NOT coalesce(s.is_after, false) AS was_refundable,
       coalesce((SELECT d.fee_minor FROM reconciler.refund_decisions d
                 WHERE d.account_id = x.account_id AND d.purchase_id = x.purchase_id AND d.decision = 'approve' AND d.business_date <= @date::date
                 ORDER BY d.business_date DESC LIMIT 1), CASE b.kind WHEN 'credits' THEN due.withheld_minor END, 0)::bigint AS withheld_minor,
       {{ from_balance }} AS from_balance_minor,
       coalesce(b.tax_minor, 0) AS tax_minor
FROM reconciler.refunded_lots x
LEFT JOIN reconciler.booked_purchases b ON b.account_id = x.account_id AND b.purchase_id = x.purchase_id
LEFT JOIN LATERAL (SELECT m.captured_minor - r.surplus_minor + least(0, coalesce(i.from_balance_minor, 0)) - {{ refundable }} AS withheld_minor
                   FROM {{ purchase_charges }} m
                   CROSS JOIN LATERAL (SELECT m.from_balance_minor) i
                   CROSS JOIN LATERAL (SELECT m.surplus_minor) r
                   WHERE m.purchase_id = x.purchase_id AND m.account_id = x.account_id AND m.charge_currency = x.currency
                   LIMIT 1) due ON true
LEFT JOIN {{ windows_standing }} s ON s.account_id = x.account_id AND s.purchase_id = x.purchase_id
WHERE x.business_date = @date::date
ORDER BY x.purchase_id COLLATE "C", x.is_late
