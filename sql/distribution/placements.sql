-- The tables of the worker and of the platform, and how each is distributed. $1 is the platform's schema.
SELECT n.nspname AS schema, c.relname AS relation, c.relkind::text AS kind,
       CASE WHEN p.logicalrelid IS NULL THEN 'local'
            WHEN p.partmethod = 'h' THEN 'distributed'
            WHEN p.partmethod = 'n' AND p.repmodel = 't' THEN 'a reference table'
            WHEN p.partmethod = 'n' AND p.colocationid = 0 THEN 'on the coordinator, as Citus''s own'
            ELSE 'distributed in another way' END AS placed,
       CASE WHEN p.partmethod = 'h' THEN column_to_column_name(p.logicalrelid, p.partkey) ELSE '' END AS "column",
       CASE WHEN p.partmethod = 'h' THEN p.colocationid ELSE 0 END AS colocation,
       coalesce((SELECT o.shardcount FROM pg_dist_colocation o WHERE p.partmethod = 'h' AND o.colocationid = p.colocationid), 0) AS shards
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_dist_partition p ON p.logicalrelid = c.oid
WHERE n.nspname IN ('reconciler', $1) AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
ORDER BY n.nspname DESC, c.relname
