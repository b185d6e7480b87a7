-- What is left of an account's lots, first in, first out (clause 2.3).
WITH account AS (
    SELECT @account_id::text AS account_id, n.net AS net_opening, n.net AS net_closing
    FROM (SELECT coalesce(-sum(e.credits) FILTER (WHERE e.kind IN ('usage', 'credit_back') OR e.kind = 'adjustment' AND e.credits < 0), 0) AS net
          FROM {{ entries }} e WHERE e.account_id = @account_id::text AND e.effective_at < @as_of::timestamptz) n
)
SELECT l.lot_kind AS kind, l.lot_id AS id, l.granted_at, l.credits_closing AS credits, -l.refunded_closing AS refunded, l.used_closing AS used,
       CASE WHEN l.refunded_closing < 0 THEN l.credits_closing + l.refunded_closing ELSE l.credits_closing - l.used_closing END AS remaining
FROM {{ lot_use }} l
WHERE l.granted_at IS NOT NULL
ORDER BY l.granted_at DESC, l.lot_id COLLATE "C"
LIMIT @most::int
