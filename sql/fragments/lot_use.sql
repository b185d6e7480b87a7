-- How the net usage of the accounts that the including statement names in its CTE lot_account (account_id) draws on their lots, first in, first out (clause 2.3): once as of @begin, once as of @as_of.
-- A lot is a purchase, a promotional grant or a positive adjustment; one that was refunded leaves the order. Negative adjustments count as usage.
(WITH instant (at) AS (VALUES (@begin::timestamptz), (@as_of::timestamptz)),
 entry AS (
    SELECT e.* FROM lot_account a JOIN {{ entries }} e ON e.account_id = a.account_id WHERE e.effective_at < @as_of::timestamptz
 ), usage AS (
    SELECT i.at, e.account_id,
           -sum(e.credits) AS net
    FROM instant i
    JOIN entry e ON e.effective_at < i.at
    WHERE e.kind IN ('usage', 'credit_back') OR e.kind = 'adjustment' AND e.credits < 0
    GROUP BY 1, 2
 ), refund AS (
    SELECT i.at, e.account_id, e.purchase_id, sum(e.credits) AS credits, min(e.created_at) AS first_at
    FROM instant i
    JOIN entry e ON e.effective_at < i.at
    WHERE e.kind IN ('refund', 'refund_reversal') AND e.purchase_id IS NOT NULL
    GROUP BY 1, 2, 3
 ), grant_entry AS (
    SELECT i.at, e.account_id, e.kind, CASE e.kind WHEN 'purchase' THEN coalesce(e.purchase_id, e.id) ELSE e.id END AS lot_id,
           min(e.created_at) AS granted_at, sum(e.credits) AS credits
    FROM instant i
    JOIN entry e ON e.effective_at < i.at
    WHERE e.kind IN ('purchase', 'promo') OR e.kind = 'adjustment' AND e.credits > 0
    GROUP BY 1, 2, 3, 4
    UNION ALL
    -- Refunded without ever having been granted: an empty lot, so that nobody takes the purchase for one that was not refunded.
    SELECT r.at, r.account_id, 'purchase', r.purchase_id, r.first_at, 0
    FROM refund r
    WHERE NOT EXISTS (SELECT FROM entry g WHERE g.account_id = r.account_id AND g.kind = 'purchase' AND g.purchase_id = r.purchase_id AND g.effective_at < r.at)
 ), lot AS (
    SELECT g.at, g.account_id, g.kind, g.lot_id, g.granted_at, g.credits, coalesce(r.credits, 0) AS refunded,
           coalesce(sum(CASE WHEN coalesce(r.credits, 0) < 0 THEN 0 ELSE g.credits END)
                    OVER (PARTITION BY g.at, g.account_id ORDER BY g.granted_at, g.lot_id COLLATE "C", g.kind COLLATE "C"
                          ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before
    FROM grant_entry g
    LEFT JOIN refund r ON g.kind = 'purchase' AND r.at = g.at AND r.account_id = g.account_id AND r.purchase_id = g.lot_id
 )
 SELECT l.at, l.account_id, l.kind, l.lot_id, l.granted_at, l.credits, l.refunded,
        CASE WHEN l.refunded < 0 THEN 0 ELSE greatest(0, least(l.credits, coalesce(u.net, 0) - l.before)) END AS used
 FROM lot l
 LEFT JOIN usage u ON u.at = l.at AND u.account_id = l.account_id)
