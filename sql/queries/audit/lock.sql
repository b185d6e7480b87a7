-- One transaction appends at a time, from here to its commit, so that two don't collide. Forks and gaps are made impossible by the keys.
SELECT pg_advisory_xact_lock(@key::bigint)
