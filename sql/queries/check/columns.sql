-- Columns of the platform's relations, tables and views alike, as the worker's role sees them. PostgreSQL 18 has virtual ones, which take no index.
SELECT c.relname AS relation, a.attname AS column, format_type(a.atttypid, NULL) AS type, a.attgenerated = 'v' AS is_virtual
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE n.nspname = @schema::text AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relname = ANY (@relations::text[])
ORDER BY 1, a.attnum
