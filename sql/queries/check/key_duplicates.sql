-- Idempotency keys that several of the ledger's newest entries have.
SELECT e.idempotency_key
FROM (SELECT e.idempotency_key FROM source.credit_entries e WHERE e.idempotency_key IS NOT NULL ORDER BY e.created_at DESC NULLS FIRST LIMIT @rows::int) e
GROUP BY e.idempotency_key
HAVING count(*) > 1
ORDER BY e.idempotency_key COLLATE "C"
LIMIT 1
