-- +goose Up
-- Rows that name no account are counted under none, and no longer under '': so that a distributed database adds up the rows of each account on its node.
ALTER TABLE reconciler.account_ledger DROP CONSTRAINT account_ledger_pkey, ADD CONSTRAINT account_ledger_account UNIQUE (account_id, business_date);
ALTER TABLE reconciler.account_ledger ALTER COLUMN account_id DROP NOT NULL;
ALTER TABLE reconciler.account_jobs DROP CONSTRAINT account_jobs_pkey, ADD CONSTRAINT account_jobs_account UNIQUE (account_id, business_date);
ALTER TABLE reconciler.account_jobs ALTER COLUMN account_id DROP NOT NULL;
