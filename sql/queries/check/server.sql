SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int AS version_num, current_user AS role,
       current_database() AS database, pg_is_in_recovery() AS replica, current_setting('default_transaction_read_only') AS read_only,
       current_setting('statement_timeout') AS statement_timeout,
       coalesce((SELECT s.ssl FROM pg_stat_ssl s WHERE s.pid = pg_backend_pid()), false) AS tls, coalesce(host(inet_client_addr()), '') AS client,
       r.rolsuper AS superuser, r.rolcreaterole AS may_create_roles, r.rolreplication AS replicates,
       r.rolbypassrls AND NOT EXISTS (SELECT FROM pg_class WHERE relrowsecurity) AS bypasses_row_security,
       r.rolconnlimit AS role_connections, current_setting('max_connections')::int AS server_connections,
       pg_size_pretty(pg_database_size(current_database())) AS size
FROM pg_roles r
WHERE r.rolname = current_user
