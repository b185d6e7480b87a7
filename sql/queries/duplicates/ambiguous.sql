-- Relations of the platform of which nothing proves that an id is there once: views, and tables without a unique index on it.
SELECT c.relname
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = @schema::text AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relname = ANY (@relations::text[])
  AND NOT EXISTS (SELECT FROM pg_index i
                  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
                  WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indnkeyatts = 1 AND i.indpred IS NULL AND a.attname = 'id')
ORDER BY 1
