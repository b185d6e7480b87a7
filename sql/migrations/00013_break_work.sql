-- +goose Up
-- What people do about a break, apart from closing it: who works on it, until when, and what is known. One row an action; what an action
-- says nothing about stays as the one before left it.
CREATE TABLE reconciler.break_work (
    account_id text        NOT NULL DEFAULT '',
    break_id   text        NOT NULL,
    work_no    integer     NOT NULL CHECK (work_no >= 1),
    actor      text        NOT NULL CHECK (actor <> ''),
    owner      text        CHECK (owner <> ''), -- who works on it from now on
    state      text        CHECK (state IN ('open', 'investigating')),
    due_on     date,
    note       text        NOT NULL DEFAULT '',
    at         timestamptz NOT NULL,
    PRIMARY KEY (account_id, break_id, work_no),
    CHECK (owner IS NOT NULL OR state IS NOT NULL OR due_on IS NOT NULL OR note <> '')
);
COMMENT ON TABLE reconciler.break_work IS 'Append-only: who works on a break, until when, and what is known of it.';
CREATE INDEX break_work_break ON reconciler.break_work (break_id);
