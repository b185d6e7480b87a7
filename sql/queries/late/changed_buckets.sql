-- The buckets of a changed night's ledger that gained rows, with the rows in them.
WITH n AS (SELECT @begins::timestamptz AS begins, @ends::timestamptz AS ends),
entry AS MATERIALIZED (
    SELECT x.account_id, x.id, x.amount, hashtextextended(x.id, 0) AS hash, (hashtextextended(x.id, 0) & (@buckets::int - 1))::int AS bucket
    FROM n CROSS JOIN LATERAL {{ night_rows }} x
    WHERE x.relation = 'credit_entries'
), bucket AS (
    SELECT e.bucket, count(*) AS rows, sum(e.hash::numeric) AS id_hash, sum(e.amount) AS amount FROM entry e GROUP BY 1
)
SELECT e.bucket, (b.rows - coalesce(t.rows, 0))::int AS gained, (b.id_hash - coalesce(t.id_hash, 0))::text AS gained_hash, e.account_id, e.id, e.hash, e.amount::text AS credits
FROM bucket b
LEFT JOIN reconciler.input_totals t ON t.business_date = @date::date AND t.relation = 'credit_entries' AND t.bucket = b.bucket
JOIN entry e ON e.bucket = b.bucket
WHERE (b.rows, b.id_hash, b.amount) IS DISTINCT FROM (t.rows, t.id_hash, t.amount)
ORDER BY e.bucket, e.id COLLATE "C"
