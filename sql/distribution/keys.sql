-- The unique keys of the platform's tables. $1 is its schema.
SELECT c.relname AS relation, i.relname AS key, k.contype IS NOT NULL AS is_constraint, x.indisprimary AS is_primary, coalesce(pg_get_expr(x.indpred, x.indrelid), '') AS "where",
       ARRAY(SELECT pg_get_indexdef(x.indexrelid, s.n, true) FROM generate_series(1, x.indnkeyatts) s (n) ORDER BY s.n) AS columns
FROM pg_index x
JOIN pg_class c ON c.oid = x.indrelid
JOIN pg_class i ON i.oid = x.indexrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_constraint k ON k.conindid = x.indexrelid AND k.contype IN ('p', 'u')
WHERE n.nspname = $1 AND x.indisunique
ORDER BY c.relname, i.relname
