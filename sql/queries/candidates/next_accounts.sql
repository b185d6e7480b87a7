-- The next accounts in order: batches by key, never by offset.
SELECT account_id
FROM reconciler.candidates
WHERE business_date = @date::date AND job = @job::text AND account_id COLLATE "C" > @after::text
ORDER BY account_id COLLATE "C"
LIMIT @limit::int
