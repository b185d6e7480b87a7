-- Whether the ledger refuses the worker's role all entries but its own kinds: the trigger of sql/platform/ledger_guard.sql, on credit_entries
-- or on a table behind it.
WITH RECURSIVE behind AS (
    SELECT c.oid FROM pg_class c WHERE c.relnamespace = to_regnamespace(quote_ident(@schema::text)) AND c.relname = 'credit_entries'
    UNION
    SELECT d.refobjid
    FROM behind b
    JOIN pg_rewrite r ON r.ev_class = b.oid
    JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
)
SELECT EXISTS (SELECT FROM behind b
               JOIN pg_trigger t ON t.tgrelid = b.oid
               JOIN pg_proc f ON f.oid = t.tgfoid
               WHERE f.proname = 'reconciler_posts_only_its_kinds' AND t.tgenabled IN ('O', 'A'))
