-- +goose Up
-- The night that opens the books goes on from all that the ledger held before it. What turns up there later is told from that by these two tables,
-- as it is told in a night by input_totals and account_entries.
CREATE TABLE reconciler.ledger_before (
    business_date date    NOT NULL PRIMARY KEY, -- the night that found no night before to go on from
    entries       bigint  NOT NULL,
    credits       numeric NOT NULL
);
CREATE TABLE reconciler.account_entries_before (
    account_id    text    NOT NULL,
    business_date date    NOT NULL,
    entries       bigint  NOT NULL,
    credits       numeric NOT NULL,
    id_hash       bigint  NOT NULL, -- of all ids together, by exclusive or
    PRIMARY KEY (account_id, business_date)
);
