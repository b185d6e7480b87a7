-- Of a reported night whose ledger is no longer what was read, the accounts that differ, with the entries that they have now. A night that was
-- read by a version that didn't note accounts has none.
WITH n AS (SELECT @begins::timestamptz AS begins, @ends::timestamptz AS ends),
entry AS MATERIALIZED (
    SELECT x.account_id, x.id, x.amount, x.at, hashtextextended(x.id, 0) AS hash
    FROM n CROSS JOIN LATERAL {{ night_rows }} x
    WHERE x.relation = 'credit_entries'
), account AS (
    SELECT e.account_id, count(*) AS rows, sum(e.amount) AS credits, bit_xor(e.hash) AS id_hash FROM entry e GROUP BY 1
)
SELECT e.account_id, (a.rows - coalesce(t.entries, 0))::int AS gained, a.id_hash # coalesce(t.id_hash, 0) AS gained_hash, e.id, e.hash, e.at, e.amount::text AS credits
FROM account a
LEFT JOIN reconciler.account_entries t ON t.business_date = @date::date AND t.account_id = a.account_id
JOIN entry e ON e.account_id = a.account_id
WHERE (a.rows, a.credits, a.id_hash) IS DISTINCT FROM (coalesce(t.entries, 0), coalesce(t.credits, 0), coalesce(t.id_hash, 0))
  AND (EXISTS (SELECT FROM reconciler.account_entries o WHERE o.business_date = @date::date)
       OR EXISTS (SELECT FROM reconciler.input_totals o WHERE o.business_date = @date::date AND o.relation = 'credit_entries' AND o.rows = 0))
ORDER BY e.account_id COLLATE "C", e.id COLLATE "C"
