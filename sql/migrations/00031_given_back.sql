-- +goose Up
-- Of the credits that a refund held, what others had given back before it came to nothing: its own release gives back the rest.
ALTER TABLE reconciler.refund_intents ADD COLUMN given_back bigint NOT NULL DEFAULT 0 CHECK (given_back >= 0),
    DROP CONSTRAINT failure_releases,
    ADD CONSTRAINT failure_releases CHECK ((state IN ('rejected', 'failed')) = (release_entry_id <> '' OR given_back > 0));
