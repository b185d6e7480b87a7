-- What the credit ledger is, and the functions of its INSTEAD OF triggers that run with the rights of whoever inserts.
SELECT c.relkind = 'v' AS is_view, c.relkind = 'm' AS is_materialized,
       ARRAY(SELECT p.oid::regprocedure::text
             FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
             WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgtype & 4 > 0 AND t.tgtype & 64 > 0 AND NOT p.prosecdef
             ORDER BY 1) AS invokers
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = @schema::text AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relname = 'credit_entries'
