-- How many credits of q's purchase were used at the instant q.at (clause 2.3), by the entries that counted before it: as lot_use says it of
-- whole accounts as of a night. The purchase's own refund is left aside: what is asked is what it had to find. No row for an account without entries.
(SELECT l.account_id,
        coalesce(max(greatest(0, least(l.granted, q.credits, l.net - l.before))) FILTER (WHERE l.lot_kind = 'purchase' AND l.lot_id = q.purchase_id), 0)::bigint AS used
 FROM (SELECT account_id, {{ lots_in_order }}
       FROM (SELECT {{ lot_sums }}
             FROM (SELECT {{ lot_entries }} FROM {{ entries }} e WHERE e.account_id = q.account_id AND e.effective_at < q.at) e
             GROUP BY 1, 2, 3) lot) l
 GROUP BY l.account_id)
