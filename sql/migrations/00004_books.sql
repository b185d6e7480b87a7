-- +goose Up
-- The subledger behind the liability: every completed purchase that is in the books, with what was paid, as it was when it was booked.
-- A row of the platform that turns up later, or is changed later, changes no reported period.
CREATE TABLE reconciler.booked_purchases (
    account_id   text        NOT NULL,
    purchase_id  text        NOT NULL,
    kind         text        NOT NULL CHECK (kind IN ('credits', 'subscription')),
    credits      bigint      NOT NULL,
    amount_minor bigint      NOT NULL CHECK (amount_minor >= 0),
    currency     text        NOT NULL,
    completed_at timestamptz NOT NULL,
    booked_at    timestamptz NOT NULL, -- counts from here on: completed_at, or the begin of the night that a late one was booked in
    is_late      boolean     NOT NULL,
    PRIMARY KEY (account_id, purchase_id),
    CHECK (is_late = (booked_at > completed_at))
);
CREATE INDEX booked_purchases_booked ON reconciler.booked_purchases (booked_at);

-- Accounts that moved in the night being closed, with their usage apart from their lots. Emptied when the night is closed.
CREATE UNLOGGED TABLE reconciler.account_moves (
    account_id    text    NOT NULL,
    business_date date    NOT NULL,
    net_before    numeric NOT NULL DEFAULT 0, -- net usage at opening
    taken         numeric NOT NULL DEFAULT 0, -- negative adjustments of the night, as a positive number
    usage         numeric NOT NULL DEFAULT 0, -- debits, likewise
    credit_backs  numeric NOT NULL DEFAULT 0,
    late_net      numeric NOT NULL DEFAULT 0, -- what late items of the night add to net usage
    PRIMARY KEY (account_id, business_date)
);

-- Where an account stood at the end of a night in which it moved. A cache: it saves reading an account's whole history again, and
-- nothing else depends on its being there.
CREATE TABLE reconciler.account_positions (
    account_id    text        NOT NULL,
    business_date date        NOT NULL,
    as_of         timestamptz NOT NULL,
    net_usage     numeric     NOT NULL, -- debits and negative adjustments, less credit-backs
    credits       numeric     NOT NULL, -- what is left in the account's lots, less what it has overdrawn
    PRIMARY KEY (account_id, business_date)
);
CREATE INDEX account_positions_night ON reconciler.account_positions (business_date);
COMMENT ON TABLE reconciler.account_positions IS 'A cache of where accounts stood at the end of the nights they moved in. May be emptied: nights then read more and say the same.';

-- The money value of what is left in lots, step by step through the night: each step is one column of the roll-forward. Opening and
-- closing are those of the accounts that moved, or of all accounts where there is no night before.
CREATE TABLE reconciler.liability_steps (
    business_date      date    NOT NULL,
    currency           text    NOT NULL,
    opening            numeric NOT NULL,
    purchased          numeric NOT NULL, -- paid for the lots that the night added
    after_lots         numeric NOT NULL, -- with them in their places
    after_refunds      numeric NOT NULL,
    after_adjustments  numeric NOT NULL,
    after_usage        numeric NOT NULL,
    after_credit_backs numeric NOT NULL,
    closing            numeric NOT NULL, -- with late items
    late_purchased     numeric NOT NULL,
    PRIMARY KEY (business_date, currency)
);

-- Lots that left the order through a refund in the night, or came back to it.
CREATE TABLE reconciler.refunded_lots (
    account_id    text    NOT NULL,
    business_date date    NOT NULL,
    purchase_id   text    NOT NULL,
    currency      text    NOT NULL,
    amount_minor  bigint  NOT NULL,
    direction     integer NOT NULL CHECK (direction IN (-1, 1)), -- -1: left, 1: came back
    is_late       boolean NOT NULL,
    value_before  numeric NOT NULL, -- of the lot, just before and just after
    value_after   numeric NOT NULL,
    PRIMARY KEY (account_id, business_date, purchase_id, is_late)
);
CREATE INDEX refunded_lots_night ON reconciler.refunded_lots (business_date);

-- The double-entry journal of a night: per currency the lines of an entry add up to 0. Amounts are signed: debits above 0, credits below.
CREATE TABLE reconciler.journal_lines (
    account_id     text    NOT NULL DEFAULT '', -- the customer's, where the entry is about one
    business_date  date    NOT NULL,
    entry_id       text    NOT NULL,
    line_no        integer NOT NULL CHECK (line_no >= 1),
    kind           text    NOT NULL,
    role           text    NOT NULL,
    ledger_account text    NOT NULL,
    currency       text    NOT NULL, -- or 'credits'
    amount_minor   numeric NOT NULL CHECK (amount_minor <> 0),
    description    text    NOT NULL,
    source         text    NOT NULL DEFAULT '',
    clause         text    NOT NULL DEFAULT '',
    PRIMARY KEY (account_id, business_date, entry_id, line_no)
);
CREATE INDEX journal_lines_night ON reconciler.journal_lines (business_date, entry_id);
CREATE INDEX journal_lines_source ON reconciler.journal_lines (source) WHERE source <> '';

-- What each account of the balance sheet held when a night was opened and closed. The two liabilities are what may still be refunded and
-- what may not.
CREATE TABLE reconciler.ledger_balances (
    business_date  date    NOT NULL,
    role           text    NOT NULL,
    currency       text    NOT NULL,
    ledger_account text    NOT NULL,
    opening        numeric NOT NULL,
    closing        numeric NOT NULL,
    PRIMARY KEY (business_date, role, currency)
);

-- The liability split by whether a refund window still stands open: in credits and in money.
CREATE TABLE reconciler.liability_split (
    business_date          date    NOT NULL,
    measure                text    NOT NULL,
    refundable_opening     numeric NOT NULL,
    refundable_closing     numeric NOT NULL,
    nonrefundable_opening  numeric NOT NULL,
    nonrefundable_closing  numeric NOT NULL,
    PRIMARY KEY (business_date, measure)
);

-- How far a night's journal reaches at Stripe: a night that could not look there leaves it to the next that can.
CREATE TABLE reconciler.book_closings (
    business_date  date        NOT NULL PRIMARY KEY,
    books_begin    timestamptz NOT NULL, -- begin of the first night of the journal that this one goes on with
    stripe_from    timestamptz NOT NULL,
    stripe_through timestamptz NOT NULL,
    stripe_opened  boolean     NOT NULL, -- the balance at Stripe is in the books
    CHECK (stripe_through >= stripe_from)
);
