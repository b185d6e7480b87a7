-- What the platform may add to its ledger, so that the worker's password sells nobody credits: the database itself refuses the worker all
-- entries but its three kinds, each with its sign. The platform's own entries are never looked at.
--
-- The owner of the ledger runs this, any number of times. It names the table behind the view where credit_entries is one:
--   SET reconciler.ledger = 'billing.entries';
-- A trigger, and no policy of row-level security: the worker refuses to work where rows may be hidden from it.
DO $$
DECLARE
    source text := coalesce(nullif(current_setting('reconciler.source_schema', true), ''), 'platform');
    ledger regclass := coalesce(nullif(current_setting('reconciler.ledger', true), ''), format('%I.credit_entries', source))::regclass;
    home   text := (SELECT nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = ledger);
BEGIN
    IF (SELECT relkind FROM pg_class WHERE oid = ledger) NOT IN ('r', 'p') THEN
        RAISE EXCEPTION '% is no table: name the one behind it with SET reconciler.ledger', ledger;
    END IF;
    EXECUTE format($function$
        CREATE OR REPLACE FUNCTION %I.reconciler_posts_only_its_kinds() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
        DECLARE
            owner oid := (SELECT relowner FROM pg_class WHERE oid = TG_RELID);
        BEGIN
            -- The owner may have been made a member of the worker's role. Whoever only works for it, in a function of the owner's, is not it.
            IF pg_has_role(session_user, owner, 'MEMBER') AND pg_has_role(current_user, owner, 'MEMBER') THEN
                RETURN NEW;
            END IF;
            RAISE EXCEPTION 'reconciler_app may not post an entry of kind %% with %% credits', NEW.kind, NEW.credits
                USING ERRCODE = 'insufficient_privilege', HINT = 'It posts credit_back and refund_reversal above 0, and refund below 0.';
        END
        $body$ $function$, home);
    EXECUTE format('REVOKE ALL ON FUNCTION %I.reconciler_posts_only_its_kinds() FROM PUBLIC', home);
    EXECUTE format('DROP TRIGGER IF EXISTS reconciler_posts_only_its_kinds ON %s', ledger);
    EXECUTE format($trigger$
        CREATE TRIGGER reconciler_posts_only_its_kinds BEFORE INSERT ON %s FOR EACH ROW
        WHEN (current_setting('is_superuser') = 'off'
              AND (pg_has_role(session_user, to_regrole('reconciler_app'), 'MEMBER') OR pg_has_role(current_user, to_regrole('reconciler_app'), 'MEMBER'))
              AND CASE NEW.kind WHEN 'refund' THEN NEW.credits < 0 WHEN 'credit_back' THEN NEW.credits > 0 WHEN 'refund_reversal' THEN NEW.credits > 0 END IS NOT TRUE)
        EXECUTE FUNCTION %I.reconciler_posts_only_its_kinds()
        $trigger$, ledger, home);
END
$$;
