-- What the worker's role lacks in its own schema, by relation.
SELECT c.relname AS relation
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'reconciler'
  AND (c.relkind IN ('r', 'p') AND NOT (has_table_privilege(c.oid, 'SELECT') AND (c.relname = 'schema_migrations' OR has_table_privilege(c.oid, 'INSERT'))
           AND (c.relname = 'schema_migrations' OR coalesce(obj_description(c.oid, 'pg_class'), '') ~* '^append-only'
                OR has_table_privilege(c.oid, 'UPDATE') AND has_table_privilege(c.oid, 'DELETE')))
    OR c.relkind IN ('v', 'm') AND NOT has_table_privilege(c.oid, 'SELECT')
    OR c.relkind = 'S' AND NOT has_sequence_privilege(c.oid, 'USAGE'))
ORDER BY 1
