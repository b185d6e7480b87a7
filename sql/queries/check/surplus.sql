-- Rights beyond the worker's needs: in the platform's schema besides its seven relations, and to change what is only ever added to.
SELECT format('make objects in schema %I', n.nspname) AS may, format('REVOKE CREATE ON SCHEMA %I FROM …', n.nspname) AS fix
FROM pg_namespace n
WHERE n.nspname = @schema::text AND has_schema_privilege(n.oid, 'CREATE')
UNION ALL
SELECT format('write to %I.%I, which it does not even read', n.nspname, c.relname), format('REVOKE ALL ON %I.%I FROM …', n.nspname, c.relname)
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = @schema::text AND c.relkind IN ('r', 'p', 'v', 'f') AND c.relname <> ALL (@relations::text[])
  AND (has_any_column_privilege(c.oid, 'INSERT, UPDATE') OR has_table_privilege(c.oid, 'DELETE, TRUNCATE'))
UNION ALL
SELECT format('change or delete rows of %I.%I, which is append-only', n.nspname, c.relname), 'work as reconciler_app, not as the owner: sql/roles/roles.sql makes it, and migrate grants it its rights'
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'reconciler' AND c.relkind IN ('r', 'p') AND obj_description(c.oid, 'pg_class') ~* '^append-only'
  AND (has_any_column_privilege(c.oid, 'UPDATE') OR has_table_privilege(c.oid, 'DELETE, TRUNCATE'))
ORDER BY 1
