-- Lots that a refund took out or brought back tonight, with what is withheld of the money: in the currency that the lot was booked in, where the
-- purchase's was corrected since.
SELECT x.account_id, x.purchase_id, x.currency, x.amount_minor, x.direction, x.is_late, x.value_before, x.value_after,
       coalesce(s.is_before, false) AND NOT coalesce(s.is_after, false) AS was_refundable,
       CASE WHEN n.currency IS NULL OR n.currency = x.currency OR n.amount_minor <= 0 THEN w.minor
            ELSE div(2 * w.minor * b.amount_minor + n.amount_minor, 2 * n.amount_minor) END::bigint AS withheld_minor,
       {{ from_balance }} AS from_balance_minor,
       coalesce(b.tax_minor, 0) AS tax_minor
FROM reconciler.refunded_lots x
LEFT JOIN reconciler.booked_purchases b ON b.account_id = x.account_id AND b.purchase_id = x.purchase_id
LEFT JOIN LATERAL (SELECT n.* FROM (SELECT b.account_id, b.purchase_id, b.currency, b.amount_minor) x CROSS JOIN LATERAL {{ purchase_now }} n
                   WHERE b.purchase_id IS NOT NULL) n ON true
CROSS JOIN LATERAL (SELECT coalesce({{ withheld }}, 0) AS minor FROM (SELECT x.account_id, x.purchase_id, b.kind) x) w
LEFT JOIN {{ windows_standing }} s ON s.account_id = x.account_id AND s.purchase_id = x.purchase_id
WHERE x.business_date = @date::date
ORDER BY x.purchase_id COLLATE "C", x.is_late
