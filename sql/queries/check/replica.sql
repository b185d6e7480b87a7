-- A standby, and how far behind: null when it has replayed nothing yet, zero when it has all that has reached it. An ordinary role sees no
-- more of the connection to the primary than that there is one.
SELECT pg_is_in_recovery() AS standby,
       CASE WHEN pg_is_in_recovery() AND pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
            ELSE extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) END::double precision AS seconds_behind,
       EXISTS (SELECT FROM pg_stat_wal_receiver) AS streaming
