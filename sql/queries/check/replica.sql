-- A standby, and how far behind: null when it has replayed nothing yet, zero when it has all that has reached it.
SELECT pg_is_in_recovery() AS standby,
       CASE WHEN pg_is_in_recovery() AND pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
            ELSE extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) END::double precision AS seconds_behind,
       EXISTS (SELECT FROM pg_stat_wal_receiver w WHERE w.status = 'streaming') AS streaming
