SELECT reconciler.analyze_tables('account_moves') WHERE @is_committed::boolean OR to_regclass('pg_catalog.pg_dist_partition') IS NULL
