SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int AS version_num, current_user AS role,
       current_database() AS database, pg_is_in_recovery() AS replica, clock_timestamp() AS clock,
       current_setting('statement_timeout') AS statement_timeout, current_setting('default_transaction_read_only') AS read_only,
       coalesce((SELECT s.ssl FROM pg_stat_ssl s WHERE s.pid = pg_backend_pid()), false) AS tls,
       EXISTS (SELECT FROM pg_roles r WHERE r.rolname = current_user AND r.rolsuper) AS superuser
