-- What the roles may do in schema reconciler. `reconciler migrate` runs this as the owner, after the migrations; any number of times.
-- Which role may do what with which table is written in role_rights, so that no dump and restore, and no comment, can change it.
-- Roles of roles.sql that don't exist are left out: all of them in a development database with one user.
DO $$
DECLARE
    roles    text[] := ARRAY(SELECT rolname FROM pg_roles WHERE rolname IN ('reconciler_app', 'reconciler_readonly', 'reconciler_approver'));
    role     text;
    relation record;
BEGIN
    IF cardinality(roles) = 0 THEN
        RETURN;
    END IF;
    -- Two at once would change the same rows of the catalogue, which PostgreSQL refuses.
    PERFORM pg_advisory_xact_lock(hashtextextended('reconciler: grants', 0));

    FOREACH role IN ARRAY roles LOOP
        IF pg_has_role((SELECT nspowner FROM pg_namespace WHERE nspname = 'reconciler'), 'USAGE') THEN
            EXECUTE format('REVOKE ALL ON SCHEMA reconciler FROM %I', role);
            EXECUTE format('GRANT USAGE ON SCHEMA reconciler TO %I', role);
            EXECUTE format('REVOKE ALL ON FUNCTION reconciler.analyze_tables(text[]) FROM PUBLIC, %I', role);
            IF role = 'reconciler_app' THEN
                GRANT EXECUTE ON FUNCTION reconciler.analyze_tables(text[]) TO reconciler_app;
            END IF;
        END IF;
        FOR relation IN
            SELECT c.oid::regclass AS name, c.relkind,
                   CASE role WHEN 'reconciler_app' THEN r.app WHEN 'reconciler_approver' THEN r.approver ELSE 'SELECT' END AS may
            FROM pg_class c
            LEFT JOIN {{ role_rights }} r ON r.relation = c.relname
            WHERE c.relnamespace = 'reconciler'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S') AND pg_has_role(c.relowner, 'USAGE')
            ORDER BY c.relname
        LOOP
            EXECUTE format('REVOKE ALL ON %s FROM %I', relation.name, role);
            IF relation.may <> '' AND relation.relkind <> 'S' THEN
                EXECUTE format('GRANT %s ON %s TO %I', relation.may, relation.name, role);
            END IF;
        END LOOP;
    END LOOP;
END
$$;
