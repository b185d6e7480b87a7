-- A standby, and how far behind: null when it has replayed nothing yet, zero when it has all that reaches it from a primary that it is connected to. One
-- that is cut off has replayed all that reached it as well, however long ago that was. An ordinary role sees no more of the connection than that there is one.
SELECT standby, streaming,
       CASE WHEN streaming AND pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
            ELSE extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) END::double precision AS seconds_behind
FROM (SELECT pg_is_in_recovery() AS standby, EXISTS (SELECT FROM pg_stat_wal_receiver) AS streaming) AS server
