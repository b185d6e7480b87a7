-- Accounts that the ledger before a night has other entries of than that night has noted, with all that they have there now.
WITH changed AS MATERIALIZED (
    SELECT a.account_id, (a.entries - coalesce(t.entries, 0))::int AS gained, a.id_hash # coalesce(t.id_hash, 0) AS gained_hash
    FROM (SELECT e.account_id, count(*) AS entries, sum(e.credits) AS credits, bit_xor(hashtextextended(e.id, 0)) AS id_hash
          FROM {{ stamped_entries }} e WHERE e.at < @ends::timestamptz GROUP BY 1) a
    LEFT JOIN reconciler.account_entries_before t ON t.account_id = a.account_id AND t.business_date = @date::date
    WHERE (a.entries, a.credits, a.id_hash) IS DISTINCT FROM (coalesce(t.entries, 0), coalesce(t.credits, 0), coalesce(t.id_hash, 0))
)
SELECT c.account_id, c.gained, c.gained_hash, e.id, hashtextextended(e.id, 0) AS hash, e.at, e.credits
FROM changed c
JOIN {{ stamped_entries }} e ON e.account_id = c.account_id AND e.at < @ends::timestamptz
ORDER BY c.account_id COLLATE "C", e.id COLLATE "C"
