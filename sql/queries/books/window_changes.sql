-- Purchases that may no longer be refunded, or may be again, by the state of their windows; those that were refunded tonight have an
-- entry of their own.
SELECT s.currency, coalesce(w.state, '') AS state, s.is_before AS closed, count(*) AS count, sum(s.amount_minor) AS amount
FROM {{ windows_standing }} s
LEFT JOIN reconciler.refund_windows w ON w.account_id = s.account_id AND w.purchase_id = s.purchase_id AND w.business_date = @date::date
WHERE s.is_before <> s.is_after
  AND NOT (s.is_before AND EXISTS (SELECT FROM reconciler.refunded_lots r
                                   WHERE r.account_id = s.account_id AND r.purchase_id = s.purchase_id AND r.business_date = @date::date AND r.direction = -1))
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3
