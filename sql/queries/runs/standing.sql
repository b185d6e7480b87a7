-- What a night begins with: the revision that a rerun works on, which is the one last published (a difference makes the next one at publication); the
-- latest night that has been reported; whether nobody has ever begun the night; how many versions of the policy are on record; for how many accounts that move the server plans; and how many rows
-- there are to look at: those of all the nights that were read, of the ledger before them, and the night's own; where none was read yet, all up to its
-- end. More than @limit are not counted.
WITH earlier AS MATERIALIZED (
    SELECT known.rows, CASE WHEN known.rows = 0 THEN '-infinity' ELSE @begin::timestamptz END AS until
    FROM (SELECT coalesce((SELECT sum(t.rows) FROM reconciler.input_totals t), 0) + coalesce((SELECT max(b.entries) FROM reconciler.ledger_before b), 0) AS rows) known
)
SELECT (SELECT coalesce(max(p.revision), 1) FROM reconciler.publications p WHERE p.business_date = @date::date) AS revision,
       (SELECT max(r.business_date) FROM reconciler.runs r WHERE r.job = 'reports' AND r.status = 'completed') AS reported,
       NOT EXISTS (SELECT 1 FROM reconciler.runs r WHERE r.business_date = @date::date) AS is_new,
       (SELECT count(*) FROM reconciler.policy_versions v WHERE v.policy = @policy::text) AS policy_versions,
       (SELECT greatest(c.reltuples, 0) FROM pg_catalog.pg_class c WHERE c.oid = 'reconciler.account_moves'::regclass)::bigint AS moves,
       CASE WHEN earlier.rows > @limit::bigint THEN earlier.rows
            ELSE 1 + earlier.rows
                 + (SELECT count(*) FROM (SELECT 1 FROM source.jobs j WHERE j.created_at >= (SELECT e.until FROM earlier e) AND j.created_at < @end::timestamptz LIMIT @limit::bigint) j)
                 + (SELECT count(*) FROM (SELECT 1 FROM source.credit_entries c WHERE c.created_at >= (SELECT e.until FROM earlier e) AND c.created_at < @end::timestamptz LIMIT @limit::bigint) c)
            END::bigint AS rows
FROM earlier
