-- Every valid index on the platform's tables by its leading column, and the part of the rows that are in it, where that leaves out more than rows
-- without a value; views have none of their own, so they are not judged.
SELECT c.relname AS relation, c.relkind = 'v' AS is_view, coalesce(array_agg(DISTINCT '(' || a.attname || ')' || coalesce(' WHERE ' || nullif(pg_get_expr(i.indpred, i.indrelid), '(' || a.attname || ' IS NOT NULL)'), '')) FILTER (WHERE a.attname IS NOT NULL), '{}') AS indexes,
       coalesce(bool_or(i.indisunique AND i.indpred IS NULL AND i.indnkeyatts = 1 AND a.attname = 'idempotency_key'), false) AS unique_key,
       coalesce(bool_or(i.indisunique AND i.indpred IS NULL AND i.indnkeyatts = 1 AND a.attname = 'id'), false) AS unique_id
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisvalid
LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
WHERE n.nspname = @schema::text AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relname = ANY (@relations::text[])
GROUP BY 1, 2
ORDER BY 1
