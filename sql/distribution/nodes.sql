-- The nodes of a Citus cluster, as the one that is asked knows them.
SELECT n.nodeid AS id, n.groupid = 0 AS is_coordinator, n.nodename || ':' || n.nodeport AS address, n.isactive AS is_active, n.shouldhaveshards AS holds_shards
FROM pg_dist_node n
WHERE n.noderole = 'primary'
ORDER BY n.groupid
