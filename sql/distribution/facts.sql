-- Whether this is the coordinator, whether reads may be sent to replicas of nodes, and how many parts of tables are out of use.
SELECT (SELECT l.groupid = 0 FROM pg_dist_local_group l) AS is_coordinator,
       current_setting('citus.use_secondary_nodes') = 'always' AS reads_secondaries,
       (SELECT count(*) FROM pg_dist_shard_placement p WHERE p.shardstate <> 1) AS lost_placements
