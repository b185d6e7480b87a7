-- Every valid index on the platform's tables by its leading column or expression, and the part of the rows that are in it, where that leaves out
-- more than rows without a value; of a partitioned table those that each partition has. Views have none of their own, so they are not judged.
WITH relations AS (
    SELECT c.oid, c.relname, c.relkind,
           CASE WHEN c.relkind = 'p' THEN ARRAY(SELECT p.relid::oid FROM pg_partition_tree(c.oid) p WHERE p.isleaf) ELSE ARRAY[c.oid] END AS parts
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = @schema::text AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relname = ANY (@relations::text[])
), indexes AS (
    SELECT r.oid, i.indrelid, i.indrelid = r.oid AS whole, i.indrelid = ANY (r.parts) AS in_part, l.leading,
           i.indisunique AND i.indpred IS NULL AND i.indnkeyatts = 1 AS is_unique,
           '(' || l.leading || ')' || coalesce(' WHERE ' || nullif(pg_get_expr(i.indpred, i.indrelid), '(' || l.leading || ' IS NOT NULL)'), '') AS definition
    FROM relations r
    JOIN pg_index i ON (i.indrelid = r.oid OR i.indrelid = ANY (r.parts)) AND i.indisvalid
    LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] AND a.attnum > 0
    CROSS JOIN LATERAL (SELECT coalesce(a.attname::text, pg_get_indexdef(i.indexrelid, 1, true)) AS leading) l -- a column, or an expression
)
SELECT r.relname AS relation, r.relkind = 'v' AS is_view, r.relkind = 'p' AS is_partitioned,
       ARRAY(SELECT i.definition FROM indexes i WHERE i.oid = r.oid AND i.in_part GROUP BY 1 HAVING count(DISTINCT i.indrelid) = cardinality(r.parts)) AS indexes,
       EXISTS (SELECT FROM indexes i WHERE i.oid = r.oid AND i.whole AND i.is_unique AND i.leading = 'idempotency_key') AS unique_key,
       EXISTS (SELECT FROM indexes i WHERE i.oid = r.oid AND i.whole AND i.is_unique AND i.leading = 'id') AS unique_id,
       (SELECT count(DISTINCT i.indrelid) FROM indexes i WHERE i.oid = r.oid AND i.in_part AND i.is_unique
           AND i.leading = 'idempotency_key') = cardinality(r.parts) AS unique_key_in_parts,
       EXISTS (SELECT FROM pg_index i
               WHERE i.indrelid = r.oid AND i.indisvalid AND i.indisunique AND i.indpred IS NULL AND i.indnkeyatts = 2
                 AND ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = r.oid AND a.attnum IN (i.indkey[0], i.indkey[1])
                     ORDER BY 1) = '{account_id,idempotency_key}') AS unique_key_by_account
FROM relations r
ORDER BY 1
