-- Whether this role may work on breaks.
SELECT has_table_privilege('reconciler.break_work', 'INSERT') AND has_table_privilege('reconciler.audit_links', 'INSERT')
