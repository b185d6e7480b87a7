-- The last of the next accounts in order: batches by key, never by offset.
SELECT coalesce(max(a.account_id COLLATE "C"), '') AS through, count(*) AS accounts
FROM (SELECT m.account_id FROM reconciler.account_moves m
      WHERE m.business_date = @date::date AND m.account_id COLLATE "C" > @after::text
      ORDER BY m.account_id COLLATE "C"
      LIMIT @limit::int) a
