-- +goose Up
-- A night credits a job back once more when it is run again and a debit has been written into it since: each credit-back has a record of its own.
ALTER TABLE reconciler.credit_backs DROP CONSTRAINT credit_backs_pkey;
ALTER TABLE reconciler.credit_backs ADD CONSTRAINT credit_backs_pkey PRIMARY KEY (account_id, job_id, business_date, credited_ever);
