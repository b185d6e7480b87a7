-- One appends at a time, from here to its commit. Only so that two don't collide: what makes forks and gaps impossible are the keys.
SELECT pg_advisory_xact_lock(@key::bigint)
