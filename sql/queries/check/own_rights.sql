-- What the worker's role lacks in its own schema of what its statements need: "relation (RIGHT)".
SELECT r.relation || ' (' || p.privilege || ')' AS lacking
FROM {{ role_rights }} r
CROSS JOIN LATERAL unnest(string_to_array(r.app, ', ')) p (privilege)
LEFT JOIN pg_class c ON c.relname = r.relation AND c.relnamespace = 'reconciler'::regnamespace
WHERE NOT coalesce(CASE WHEN p.privilege LIKE '%(%'
                        THEN has_column_privilege(c.oid, substring(p.privilege FROM '\((.*)\)'), split_part(p.privilege, ' ', 1))
                        ELSE has_table_privilege(c.oid, p.privilege) END, false)
ORDER BY 1
