-- Of a reported night whose ledger is no longer what was read, the accounts that differ, with the entries that they have now. A night that was
-- read by a version that didn't note accounts has none.
WITH noted AS MATERIALIZED (
    SELECT EXISTS (SELECT 1 FROM reconciler.account_entries o WHERE o.business_date = @date::date)
           OR EXISTS (SELECT 1 FROM reconciler.input_totals o WHERE o.business_date = @date::date AND o.relation = 'credit_entries' AND o.rows = 0) AS by_account
), changed AS MATERIALIZED (
    SELECT a.account_id, (a.entries - coalesce(t.entries, 0))::int AS gained, a.id_hash # coalesce(t.id_hash, 0) AS gained_hash
    FROM (SELECT e.account_id, count(*) AS entries, sum(e.credits) AS credits, bit_xor(hashtextextended(e.id, 0)) AS id_hash
          FROM {{ stamped_entries }} e WHERE e.at >= @begins::timestamptz AND e.at < @ends::timestamptz GROUP BY 1) a
    JOIN noted ON noted.by_account
    LEFT JOIN reconciler.account_entries t ON t.business_date = @date::date AND t.account_id = a.account_id
    WHERE (a.entries, a.credits, a.id_hash) IS DISTINCT FROM (coalesce(t.entries, 0), coalesce(t.credits, 0), coalesce(t.id_hash, 0))
)
SELECT c.account_id, c.gained, c.gained_hash, e.id, hashtextextended(e.id, 0) AS hash, e.at, e.credits
FROM changed c
JOIN {{ stamped_entries }} e ON e.account_id = c.account_id AND e.at >= @begins::timestamptz AND e.at < @ends::timestamptz
ORDER BY c.account_id COLLATE "C", e.id COLLATE "C"
