-- Rights beyond the worker's needs: in the platform's schema beyond its seven relations, and in its own
-- schema what none of its statements does: least of all to approve refunds, or to change what is only ever added to.
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
SELECT 'do anything in schema reconciler, as its owner may: change what is append-only, and approve refunds',
       'work as reconciler_app: sql/roles/roles.sql makes it, and migrate grants it its rights'
WHERE EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = to_regnamespace('reconciler') AND pg_has_role(c.relowner, 'USAGE'))
UNION ALL
SELECT format('%s in reconciler.%I, %s', string_agg(p.privilege, ', ' ORDER BY p.privilege), c.relname,
              CASE r.app WHEN 'SELECT, INSERT' THEN 'which is append-only' ELSE 'which the worker never does' END),
       'run: reconciler migrate, with the URL of the schema''s owner; it sets the rights of reconciler_app again'
FROM pg_class c
LEFT JOIN {{ role_rights }} r ON r.relation = c.relname
CROSS JOIN unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) p (privilege)
WHERE c.relnamespace = to_regnamespace('reconciler') AND c.relkind IN ('r', 'p')
  AND p.privilege <> ALL (string_to_array(coalesce(r.app, ''), ', ')) AND has_table_privilege(c.oid, p.privilege) AND NOT pg_has_role(c.relowner, 'USAGE')
GROUP BY c.relname, r.app
ORDER BY 1
