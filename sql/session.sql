-- What every session of the worker begins with, whatever is set on the role, the database or the server. $1 is the time that a statement may
-- take, in milliseconds; '' leaves the server's. One statement, as PgBouncer takes no parameters of the kind with the connection itself; it says
-- whether the database is one of a Citus cluster.
SELECT pg_catalog.to_regclass('pg_catalog.pg_dist_partition') IS NOT NULL AS on_cluster, pg_catalog.count(pg_catalog.set_config(s.name, s.value, false)) AS settings
FROM (VALUES
    -- What hides rows is an error: totals without them would be wrong and still tie.
    ('row_security', 'off'),
    -- Autocommitted statements, too, see what is committed; transactions say their level themselves.
    ('default_transaction_isolation', 'read committed'),
    -- Money that has left after a commit must not have been decided by a transaction that a crash undoes.
    ('synchronous_commit', nullif(pg_catalog.replace(pg_catalog.current_setting('synchronous_commit'), 'off', 'on'), pg_catalog.current_setting('synchronous_commit'))),
    -- How texts are read and written: by the statements themselves, by the server's definitions that the check-up compares, by the driver.
    ('TimeZone', 'UTC'),
    ('DateStyle', 'ISO, MDY'),
    ('IntervalStyle', 'postgres'),
    ('bytea_output', 'hex'),
    ('extra_float_digits', '1'),
    ('lc_numeric', 'C'),
    ('standard_conforming_strings', 'on'),
    ('quote_all_identifiers', 'off'),
    ('array_nulls', 'on'),
    ('transform_null_equals', 'off'),
    -- No function or operator of the platform's stands in for one of the server's. Triggers of the platform find theirs as before.
    ('search_path', pg_catalog.concat_ws(', ', 'pg_catalog', nullif(pg_catalog.current_setting('search_path'), ''))),
    -- A method of the planner's that somebody has ruled out for statements of his own makes a night take ten times as long.
    ('enable_bitmapscan', 'on'), ('enable_hashagg', 'on'), ('enable_hashjoin', 'on'), ('enable_indexonlyscan', 'on'), ('enable_indexscan', 'on'), ('enable_material', 'on'),
    ('enable_memoize', 'on'), ('enable_mergejoin', 'on'), ('enable_nestloop', 'on'), ('enable_seqscan', 'on'), ('enable_sort', 'on'),
    -- The worker has time limits of its own; a server's would end a big night half-way, every night.
    ('statement_timeout', nullif($1::text, '')),
    ('transaction_timeout', '0'),
    ('idle_session_timeout', '0'),
    -- A Citus cluster says in a warning that a node has not heard of a commit.
    ('client_min_messages', 'warning'),
    -- On a Citus cluster: all rows, exactly counted, from the nodes that take writes, whatever somebody has set to see an estimate sooner.
    ('citus.limit_clause_row_fetch_count', '-1'), ('citus.count_distinct_error_rate', '0'),
    -- What one statement has the nodes hand over to each other grows with the night; a night that fails by a limit fails every time.
    ('citus.max_intermediate_result_size', '-1'),
    -- What statements rely on to be taken at all: each is planned as they were tried.
    ('citus.coordinator_aggregation_strategy', 'row-gather'), ('citus.enable_recurring_outer_join_pushdown', 'on'), ('citus.enable_router_execution', 'on'),
    ('citus.local_table_join_policy', 'auto'), ('citus.subquery_pushdown', 'off'), ('citus.values_materialization_threshold', '100'),
    -- One connection a node for all of a transaction is for foreign keys from distributed tables to reference tables, of which there are none here:
    -- all others are kept as ever.
    ('citus.enforce_foreign_key_restrictions', 'off'), ('citus.multi_shard_modify_mode', 'parallel'),
    -- When this machine is lost without a word, the server has to notice within two minutes, not hours: until then a night's lock is held.
    ('tcp_keepalives_idle', '60'), ('tcp_keepalives_interval', '15'), ('tcp_keepalives_count', '4')
) AS s (name, value)
-- Not every version knows every setting.
WHERE s.value IS NOT NULL AND pg_catalog.current_setting(s.name, true) IS NOT NULL
