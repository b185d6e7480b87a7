-- How many credits of q's purchase were used at the instant q.at (clause 2.3), by the entries that counted before it: as lot_use says it of
-- whole accounts as of a night. The purchase's own refund is left aside: what is asked is what it had to find. No row for an account without entries.
(SELECT l.account_id, coalesce(max(greatest(0, least(l.granted, q.credits, l.net - l.before))) FILTER (WHERE l.lot_kind = 'purchase' AND l.lot_id = q.purchase_id), 0)::bigint AS used
 FROM (SELECT lot.account_id, lot.lot_kind, lot.lot_id, lot.granted, sum(lot.used) OVER (PARTITION BY lot.account_id) AS net,
              coalesce(sum(CASE WHEN lot.lot_kind = 'usage' OR lot.refunded < 0 THEN 0 ELSE lot.granted END)
                       OVER (PARTITION BY lot.account_id ORDER BY lot.granted_at, lot.lot_id COLLATE "C", lot.lot_kind COLLATE "C"
                             ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before
       FROM (SELECT e.account_id, e.lot_kind, e.lot_id, min(e.created_at) FILTER (WHERE e.kind IN ('purchase', 'promo', 'adjustment')) AS granted_at,
                    coalesce(sum(e.credits) FILTER (WHERE e.kind IN ('purchase', 'promo', 'adjustment') AND e.lot_kind <> 'usage'), 0) AS granted,
                    coalesce(sum(e.credits) FILTER (WHERE e.kind IN ('refund', 'refund_reversal')), 0) AS refunded,
                    coalesce(-sum(e.credits) FILTER (WHERE e.lot_kind = 'usage'), 0) AS used
             FROM (SELECT e.account_id, e.kind, e.credits, e.created_at,
                          CASE WHEN e.kind IN ('purchase', 'refund', 'refund_reversal') THEN 'purchase'
                               WHEN e.kind = 'promo' OR e.kind = 'adjustment' AND e.credits > 0 THEN e.kind ELSE 'usage' END AS lot_kind,
                          CASE WHEN e.kind IN ('purchase', 'refund', 'refund_reversal') THEN coalesce(e.purchase_id, e.id)
                               WHEN e.kind = 'promo' OR e.kind = 'adjustment' AND e.credits > 0 THEN e.id ELSE '' END AS lot_id
                   FROM {{ entries }} e
                   WHERE e.account_id = q.account_id AND e.effective_at < q.at) e
             GROUP BY 1, 2, 3) lot) l
 GROUP BY l.account_id)
