SELECT reconciler.analyze_tables('account_moves')
WHERE @whatever_is_known::boolean OR @moved::bigint > 10 * (SELECT greatest(c.reltuples, 0) FROM pg_catalog.pg_class c WHERE c.oid = 'reconciler.account_moves'::regclass)
