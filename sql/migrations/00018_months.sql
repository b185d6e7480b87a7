-- +goose Up
-- Who closes and who reviews a month are two people, however their names are written: no case, no spaces, no lookalike forms of a letter.
ALTER TABLE reconciler.periods ADD COLUMN person text NOT NULL GENERATED ALWAYS AS
    (lower(regexp_replace(normalize(actor, NFKC), '[\s[:cntrl:]\u00ad\u200b-\u200f\u2060\ufeff]', '', 'g'))) STORED;
ALTER TABLE reconciler.periods ADD CONSTRAINT periods_person UNIQUE (period, action_no, action, person);
CREATE TABLE reconciler.period_reviews (
    period          text        NOT NULL,
    action_no       integer     NOT NULL,
    action          text        NOT NULL DEFAULT 'closed' CHECK (action = 'closed'),
    closer          text        NOT NULL,
    reviewed_by     text        NOT NULL,
    reviewer        text        NOT NULL GENERATED ALWAYS AS
        (lower(regexp_replace(normalize(reviewed_by, NFKC), '[\s[:cntrl:]\u00ad\u200b-\u200f\u2060\ufeff]', '', 'g'))) STORED CHECK (reviewer NOT IN ('', 'reconciler')),
    manifest_sha256 text        NOT NULL CHECK (manifest_sha256 ~ '^[0-9a-f]{64}$'), -- what was reviewed is this content and no other
    at              timestamptz NOT NULL,
    PRIMARY KEY (period, action_no),
    FOREIGN KEY (period, action_no, action, closer) REFERENCES reconciler.periods (period, action_no, action, person),
    CONSTRAINT closer_is_not_reviewer CHECK (reviewer <> closer),
    CONSTRAINT reviewer_is_legible CHECK (reviewed_by !~
        '[[:cntrl:]\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]')
);
COMMENT ON TABLE reconciler.period_reviews IS 'Append-only: who reviewed which closing of a month, and the manifest that was looked at.';

CREATE TABLE reconciler.period_acceptances (
    account_id  text        NOT NULL DEFAULT '',
    period      text        NOT NULL,
    action_no   integer     NOT NULL,
    break_id    text        NOT NULL,
    accepted_by text        NOT NULL CHECK (accepted_by <> ''),
    reason      text        NOT NULL CHECK (reason <> ''),
    at          timestamptz NOT NULL,
    PRIMARY KEY (account_id, period, action_no, break_id),
    FOREIGN KEY (period, action_no) REFERENCES reconciler.periods (period, action_no)
);
COMMENT ON TABLE reconciler.period_acceptances IS 'Append-only: the errors that were open when a month was closed, who accepted each, and why.';

CREATE TABLE reconciler.month_publications (
    period          text        NOT NULL CHECK (period ~ '^\d{4}-\d{2}$'),
    revision        integer     NOT NULL CHECK (revision >= 1),
    state           text        NOT NULL CHECK (state IN ('draft', 'closed', 'reviewed')),
    action_no       integer     NOT NULL, -- the closing that it is of; of a draft: what was last done to the period, 0 for nothing
    manifest_sha256 text        NOT NULL CHECK (manifest_sha256 ~ '^[0-9a-f]{64}$'),
    published_at    timestamptz NOT NULL,
    PRIMARY KEY (period, revision)
);
COMMENT ON TABLE reconciler.month_publications IS 'Append-only: the published revisions of a month. What is on record before its files are there is completed by the next command.';
