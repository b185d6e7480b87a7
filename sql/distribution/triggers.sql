-- The tables of the platform that have triggers, which Citus distributes only when told that they are harmless. $1 is its schema.
SELECT DISTINCT c.relname AS relation
FROM pg_trigger t
JOIN pg_class c ON c.oid = t.tgrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND NOT t.tgisinternal
