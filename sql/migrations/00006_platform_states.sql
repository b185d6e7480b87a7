-- +goose Up
-- Append-only in effect: rows of the platform that are changed in place, as each night first saw them, so that an old night can be worked out
-- again after they have changed. Only what changed is kept, and only of relations where a decision reads what a later change would rewrite.
CREATE TABLE reconciler.platform_states (
    account_id text        NOT NULL,
    relation   text        NOT NULL CHECK (relation IN ('subscriptions', 'accounts')),
    row_id     text        NOT NULL,
    seen_as_of timestamptz NOT NULL,
    content    jsonb       NOT NULL,
    PRIMARY KEY (account_id, relation, row_id, seen_as_of)
);
CREATE INDEX platform_states_row ON reconciler.platform_states (relation, row_id, seen_as_of);
