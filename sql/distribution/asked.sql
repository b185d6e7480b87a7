-- What every node says of itself, asked as the worker asks it: with the settings of its role there. $1 is the time zone of the nights. A setting
-- that a session has set does not reach the nodes.
SELECT n.nodename || ':' || n.nodeport AS address, r.success, coalesce(r.result, '') AS result
FROM run_command_on_all_nodes(format($command$
    SELECT json_build_object(
        'server', current_setting('server_version_num')::int,
        'clock', extract(epoch FROM clock_timestamp()),
        'midnights', (SELECT md5(string_agg((d::timestamp AT TIME ZONE %L - timestamptz 'epoch')::text, ',' ORDER BY d)) FROM generate_series(date '%s' - 366, date '%s' + 366, '1 day') d),
        'settings', (SELECT json_object_agg(lower(s.name), s.setting) FROM pg_settings s
                     WHERE s.name IN ('TimeZone', 'DateStyle', 'IntervalStyle', 'bytea_output', 'extra_float_digits', 'standard_conforming_strings', 'array_nulls',
                                      'transform_null_equals', 'synchronous_commit', 'statement_timeout')))
    $command$, $1::text, current_date, current_date)) r
JOIN pg_dist_node n ON n.nodeid = r.nodeid
ORDER BY n.groupid
