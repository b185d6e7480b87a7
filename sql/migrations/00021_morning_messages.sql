-- +goose Up
-- What became of the messages about nights. A night is expected before a schedule does it; a try is begun before the message leaves, and ends
-- as sent, failed (it is tried again) or uncertain (it may have arrived, and is not).
CREATE TABLE reconciler.morning_messages (
    subject        text        NOT NULL, -- a night, a revision of one, or a failure
    address_sha256 text        NOT NULL, -- of the address, which is a secret; '' for an expected night
    attempt_no     integer     NOT NULL CHECK (attempt_no >= 1),
    event          text        NOT NULL CHECK (event IN ('expected', 'begun', 'sent', 'failed', 'uncertain')),
    address        text        NOT NULL DEFAULT '', -- scheme and host
    detail         text        NOT NULL DEFAULT '',
    at             timestamptz NOT NULL,
    PRIMARY KEY (subject, address_sha256, attempt_no, event)
);
COMMENT ON TABLE reconciler.morning_messages IS 'Append-only: which morning messages were due, begun and sent, to which address.';
