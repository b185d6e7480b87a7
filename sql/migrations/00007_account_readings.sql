-- +goose Up
-- A night reads the ledger and the jobs once, account by account, for every job of it. These two tables are emptied when it is closed.
CREATE UNLOGGED TABLE reconciler.account_ledger (
    account_id    text    NOT NULL, -- '' for rows that name none
    business_date date    NOT NULL,
    seen          bigint  NOT NULL, -- rows stamped in the night, or without a usable stamp
    kept          bigint  NOT NULL, -- those of them that keep the contract; all that follows is about these
    credits       numeric NOT NULL,
    taken         numeric NOT NULL, -- negative adjustments, as a positive number
    usage         numeric NOT NULL, -- debits, likewise
    credit_backs  numeric NOT NULL,
    id_hash       bigint  NOT NULL, -- of all ids together, by exclusive or
    debits        bigint  NOT NULL, -- how many debits are of more than 0
    first         bigint  NOT NULL, -- two fingerprints of those, seeded anew whenever a night is read: they can only be held against
    second        bigint  NOT NULL, -- those of account_jobs of the same reading
    PRIMARY KEY (account_id, business_date)
);
CREATE UNLOGGED TABLE reconciler.account_jobs (
    account_id    text    NOT NULL,
    business_date date    NOT NULL,
    seen          bigint  NOT NULL, -- created or finished in the night, or without a usable stamp
    kept          bigint  NOT NULL,
    jobs          bigint  NOT NULL, -- finished in the night
    cost          numeric NOT NULL,
    id_hash       bigint  NOT NULL,
    debits        bigint  NOT NULL, -- how many debits there should be, and some that can't be for jobs that are not settled by a debit alone
    first         bigint  NOT NULL,
    second        bigint  NOT NULL,
    PRIMARY KEY (account_id, business_date)
);

-- What each night had read of the ledger when it was reported: a later difference names the account, and mostly the entry.
CREATE TABLE reconciler.account_entries (
    account_id    text    NOT NULL,
    business_date date    NOT NULL,
    entries       bigint  NOT NULL,
    credits       numeric NOT NULL,
    id_hash       bigint  NOT NULL, -- of all ids together, by exclusive or
    PRIMARY KEY (account_id, business_date)
);
CREATE INDEX account_entries_night ON reconciler.account_entries (business_date);

DROP TABLE reconciler.account_moves;
-- The accounts that a night looks at: where they stood when it opened, and what it brought.
CREATE UNLOGGED TABLE reconciler.account_moves (
    account_id     text    NOT NULL,
    business_date  date    NOT NULL,
    moved          boolean NOT NULL,           -- has entries that count in the night
    net_before     numeric NOT NULL DEFAULT 0, -- net usage at opening: debits and negative adjustments, less credit-backs
    balance_before numeric NOT NULL DEFAULT 0, -- credits at opening
    taken          numeric NOT NULL DEFAULT 0, -- negative adjustments of the night, as a positive number
    usage          numeric NOT NULL DEFAULT 0, -- debits, likewise
    credit_backs   numeric NOT NULL DEFAULT 0,
    late_net       numeric NOT NULL DEFAULT 0, -- what late items of the night add to net usage
    credits        numeric NOT NULL DEFAULT 0, -- all entries that count in the night, late items included
    PRIMARY KEY (account_id, business_date)
);

-- One row per relation and night: account_entries holds the rest. Of nights read by earlier versions the account is not known.
DELETE FROM reconciler.input_totals WHERE bucket <> -1;
ALTER TABLE reconciler.input_totals DROP CONSTRAINT input_totals_pkey;
ALTER TABLE reconciler.input_totals DROP COLUMN bucket, DROP COLUMN buckets;
ALTER TABLE reconciler.input_totals ADD PRIMARY KEY (business_date, relation);

-- What a backfill reads ahead of a night's turn goes to the two tables above; this says for which policy, and in which process.
DROP TABLE reconciler.prescans;
CREATE UNLOGGED TABLE reconciler.readings_ahead (
    business_date date   NOT NULL PRIMARY KEY,
    token         text   NOT NULL, -- of the process that read, the only one that may go by it
    known         text   NOT NULL  -- the failures that the policy knew then
);
