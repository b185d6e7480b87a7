-- Tables that the planner knows nothing of, or no longer: never analyzed, or changed in more than a third since. Small ones don't matter.
SELECT c.relname AS relation, c.reltuples < 0 AS never, coalesce(s.n_mod_since_analyze, 0) AS changed
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid
WHERE n.nspname = @schema::text AND c.relkind IN ('r', 'm') AND c.relname = ANY (@relations::text[])
  AND pg_relation_size(c.oid) > 8388608
  AND (c.reltuples < 0 OR coalesce(s.n_mod_since_analyze, 0) > greatest(c.reltuples, 0) / 3)
ORDER BY 1
