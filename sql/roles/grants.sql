-- What the roles may do in schema reconciler. `reconciler migrate` runs this as the owner, after the migrations; any number of times.
-- Tables whose comment begins with "Append-only" can be added to and read, but not changed: not even by a worker that was taken over.
-- Where the roles of roles.sql don't exist (a development database with one user), this does nothing.
DO $$
DECLARE
    relation record;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'reconciler_app')
        OR NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'reconciler_readonly') THEN
        RETURN;
    END IF;
    -- Two at once would change the same rows of the catalogue, which PostgreSQL refuses.
    PERFORM pg_advisory_xact_lock(hashtextextended('reconciler: grants', 0));

    IF pg_has_role((SELECT nspowner FROM pg_namespace WHERE nspname = 'reconciler'), 'USAGE') THEN
        GRANT USAGE ON SCHEMA reconciler TO reconciler_app, reconciler_readonly;
    END IF;
    FOR relation IN
        SELECT c.oid::regclass AS name,
               c.relkind,
               c.relname = 'schema_migrations' AS is_bookkeeping,
               coalesce(obj_description(c.oid, 'pg_class'), '') ~* '^append-only' AS is_append_only
        FROM pg_class c
        WHERE c.relnamespace = 'reconciler'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
          AND pg_has_role(c.relowner, 'USAGE')
    LOOP
        EXECUTE format('REVOKE ALL ON %s FROM reconciler_app, reconciler_readonly', relation.name);
        EXECUTE format('GRANT SELECT ON %s TO reconciler_app, reconciler_readonly', relation.name);
        IF relation.relkind = 'S' THEN
            EXECUTE format('GRANT USAGE ON SEQUENCE %s TO reconciler_app', relation.name);
        ELSIF relation.is_bookkeeping OR relation.relkind IN ('v', 'm') THEN
            CONTINUE;
        ELSIF relation.is_append_only THEN
            EXECUTE format('GRANT INSERT ON %s TO reconciler_app', relation.name);
        ELSE
            EXECUTE format('GRANT INSERT, UPDATE, DELETE, TRUNCATE ON %s TO reconciler_app', relation.name);
            IF current_setting('server_version_num')::integer >= 170000 THEN
                EXECUTE format('GRANT MAINTAIN ON %s TO reconciler_app', relation.name); -- ANALYZE; before 17 it is the owner's alone
            END IF;
        END IF;
    END LOOP;
END
$$;
