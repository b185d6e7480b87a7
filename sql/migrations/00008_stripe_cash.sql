-- +goose Up
-- A night's cash at Stripe goes on from the last night whose closing still holds, instead of from the account's first transaction. A row
-- of unknown end, from before this migration, is not gone on from.
ALTER TABLE reconciler.stripe_cash ADD COLUMN as_of timestamptz, ADD COLUMN is_stale boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN reconciler.stripe_cash.is_stale IS 'A balance transaction from before as_of has turned up, or changed, since this row was written.';
-- What is still pending, and what becomes available around a reading of the balance.
CREATE INDEX stripe_balance_transactions_available ON reconciler.stripe_balance_transactions (available_on)
    INCLUDE (currency, net_minor, created_at);
