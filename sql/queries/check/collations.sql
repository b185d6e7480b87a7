-- The text columns of the platform's relations that don't have the database's own collation.
SELECT c.relname AS relation, a.attname AS column, quote_ident(n2.nspname) || '.' || quote_ident(o.collname) AS collation, o.collisdeterministic AS is_deterministic
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_collation o ON o.oid = a.attcollation AND o.collname <> 'default'
JOIN pg_namespace n2 ON n2.oid = o.collnamespace
WHERE n.nspname = @schema::text AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relname = ANY (@relations::text[])
ORDER BY 1, a.attnum
