-- The worker's database roles, each with what it needs and no more. An administrator of the database runs this once, before the first
-- migration, and again whenever the platform's relations were dropped and made anew. It can be run any number of times.
--
--   reconciler_owner     owns schema reconciler; used by `reconciler migrate` only
--   reconciler_app       the worker: reads the platform, posts entries to its credit ledger, keeps its books in schema reconciler
--   reconciler_readonly  reads both: support, finance, and a replica
--   reconciler_approver  used by `reconciler refunds approve` only: nobody else can approve a refund plan, the worker neither
--
-- None of them can log in with a password until one is set: \password reconciler_owner, and so on.
-- The platform's schema is `platform` unless the session says otherwise before this:
--   SET reconciler.source_schema = 'billing';

DO $$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['reconciler_owner', 'reconciler_app', 'reconciler_readonly', 'reconciler_approver'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
            EXECUTE format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS', role_name);
        END IF;
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), role_name);
    END LOOP;
    EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM reconciler_app', current_database()); -- which an earlier version of this gave
END
$$;

-- A slip in a support session can't change anything, whatever else that role is granted one day.
ALTER ROLE reconciler_readonly SET default_transaction_read_only = on;

-- The schema is made here, so that its owner needs no right to make schemas. An administrator who is no superuser
-- has to be a member of the owner to make it the owner.
DO $$
BEGIN
    -- From PostgreSQL 16 on, who made a role is a member that may hand it out, but not yet take it on.
    IF NOT pg_has_role(current_user, 'reconciler_owner', CASE WHEN current_setting('server_version_num')::integer >= 160000 THEN 'SET' ELSE 'MEMBER' END) THEN
        EXECUTE format('GRANT reconciler_owner TO %I', current_user);
    END IF;
END
$$;
CREATE SCHEMA IF NOT EXISTS reconciler AUTHORIZATION reconciler_owner;
REVOKE ALL ON SCHEMA reconciler FROM PUBLIC;

-- The platform: these relations, not whatever else is in its schema.
DO $$
DECLARE
    source   text := coalesce(nullif(current_setting('reconciler.source_schema', true), ''), 'platform');
    relation text;
BEGIN
    IF to_regnamespace(quote_ident(source)) IS NULL THEN
        RAISE EXCEPTION 'schema % does not exist: make it, or name yours with SET reconciler.source_schema', source;
    END IF;
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO reconciler_app, reconciler_readonly', source);
    FOREACH relation IN ARRAY ARRAY['accounts', 'purchases', 'jobs', 'credit_entries', 'refund_requests', 'subscriptions', 'subscription_changes'] LOOP
        IF to_regclass(format('%I.%I', source, relation)) IS NULL THEN
            RAISE EXCEPTION '%.% does not exist: make the table, or a view with the columns the worker reads, and run this again', source, relation;
        END IF;
        EXECUTE format('REVOKE ALL ON %I.%I FROM reconciler_app, reconciler_readonly', source, relation);
        EXECUTE format('GRANT SELECT ON %I.%I TO reconciler_app, reconciler_readonly', source, relation);
    END LOOP;
    -- The one place of the platform's that the worker writes to. No UPDATE, no DELETE: entries are corrected by entries.
    EXECUTE format('GRANT INSERT ON %I.credit_entries TO reconciler_app', source);
END
$$;
