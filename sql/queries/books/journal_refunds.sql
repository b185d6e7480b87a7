-- Lots that a refund took out or brought back tonight, with what was decided to pay back.
SELECT r.account_id, r.purchase_id, r.currency, r.amount_minor, r.direction, r.is_late, r.value_before::text AS value_before, r.value_after::text AS value_after,
       coalesce(s.is_before, false) AND NOT coalesce(s.is_after, false) AS was_refundable,
       coalesce((SELECT d.refund_minor FROM reconciler.refund_decisions d
                 WHERE d.account_id = r.account_id AND d.purchase_id = r.purchase_id AND d.decision = 'approve' AND d.business_date <= @date::date
                 ORDER BY d.business_date DESC LIMIT 1), -1) AS refund_minor
FROM reconciler.refunded_lots r
LEFT JOIN {{ windows_standing }} s ON s.account_id = r.account_id AND s.purchase_id = r.purchase_id
WHERE r.business_date = @date::date
ORDER BY r.purchase_id COLLATE "C", r.is_late
