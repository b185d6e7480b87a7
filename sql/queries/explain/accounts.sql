-- Accounts by id or by e-mail address, the oldest first.
WITH a AS MATERIALIZED (
    SELECT a.id, coalesce(a.email, '') AS email, coalesce(a.status, '') AS status, a.created_at
    FROM source.accounts a
    WHERE a.id = @query::text OR lower(a.email) = lower(@query::text)
    ORDER BY a.created_at, a.id COLLATE "C"
    LIMIT 20
), balance AS MATERIALIZED (
    SELECT e.account_id, e.credits
    FROM a
    CROSS JOIN LATERAL (SELECT e.account_id, sum(e.credits) AS credits FROM {{ entries }} e WHERE e.account_id = a.id GROUP BY e.account_id) e
)
SELECT a.id, a.email, a.status, a.created_at, coalesce(b.credits, 0) AS credits
FROM a
LEFT JOIN balance b ON b.account_id = a.id
ORDER BY a.created_at, a.id COLLATE "C"
