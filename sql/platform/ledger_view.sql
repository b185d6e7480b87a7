-- A ledger with another name and numbers for keys, as the worker's credit_entries. To start from: change billing.ledger and its columns to
-- yours. The worker's entries have texts for ids, such as "rec_1f3a…", so these get a column of their own; the numbers stay as they are.
ALTER TABLE billing.ledger
    ADD COLUMN reconciler_id text UNIQUE,
    ADD COLUMN idempotency_key text UNIQUE;
CREATE INDEX ledger_id_text ON billing.ledger (coalesce(reconciler_id, id::text));
CREATE INDEX ledger_job_text ON billing.ledger ((job_id::text));
CREATE INDEX ledger_purchase_text ON billing.ledger ((purchase_id::text));
CREATE INDEX ledger_account_text ON billing.ledger ((account_id::text), created_at);

CREATE VIEW platform.credit_entries AS
SELECT coalesce(reconciler_id, id::text) AS id, account_id::text AS account_id, kind, credits, purchase_id::text AS purchase_id, job_id::text AS job_id,
       idempotency_key, memo, created_at
FROM billing.ledger;

-- With the rights of whoever makes it, as the worker has none on the table behind the view.
CREATE FUNCTION platform.add_credit_entry() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO billing.ledger (reconciler_id, account_id, kind, credits, purchase_id, job_id, idempotency_key, memo, created_at)
    VALUES (NEW.id, NEW.account_id::bigint, NEW.kind, NEW.credits, NEW.purchase_id::bigint, NEW.job_id::bigint, NEW.idempotency_key, NEW.memo, NEW.created_at);
    RETURN NEW; -- a duplicate must stay an error: the worker relies on it
END
$$;
REVOKE ALL ON FUNCTION platform.add_credit_entry() FROM PUBLIC;
CREATE TRIGGER add_credit_entry INSTEAD OF INSERT ON platform.credit_entries FOR EACH ROW EXECUTE FUNCTION platform.add_credit_entry();
