-- +goose Up
-- Of the credits that a refund held, what others had given back before it came to nothing: its own release gives back the rest.
-- One change a statement, as Citus takes them.
ALTER TABLE reconciler.refund_intents ADD COLUMN given_back bigint NOT NULL DEFAULT 0;
ALTER TABLE reconciler.refund_intents ADD CONSTRAINT refund_intents_given_back_check CHECK (given_back >= 0);
ALTER TABLE reconciler.refund_intents DROP CONSTRAINT failure_releases;
ALTER TABLE reconciler.refund_intents ADD CONSTRAINT failure_releases CHECK ((state IN ('rejected', 'failed')) = (release_entry_id <> '' OR given_back > 0));
