-- Accounts by id or by e-mail address, the oldest first.
SELECT a.id, coalesce(a.email, '') AS email, coalesce(a.status, '') AS status, a.created_at,
       (SELECT coalesce(sum(e.credits), 0)::text FROM {{ entries }} e WHERE e.account_id = a.id) AS credits
FROM source.accounts a
WHERE a.id = @query::text OR lower(a.email) = lower(@query::text)
ORDER BY a.created_at, a.id COLLATE "C"
LIMIT 20
