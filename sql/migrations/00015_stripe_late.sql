-- +goose Up
-- Balance transactions that turned up at Stripe for a night whose journal had been written: what is reported stays as it is, and they are booked
-- by the newest night that knows of them.
CREATE TABLE reconciler.stripe_late (
    id         text        NOT NULL PRIMARY KEY,
    created_at timestamptz NOT NULL,
    booked_on  date        -- the night whose journal has it; NULL: the next to be written
);
CREATE INDEX stripe_late_booked ON reconciler.stripe_late (booked_on);
