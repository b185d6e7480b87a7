-- +goose Up
-- Whether any invoice took from a customer's balance, which the journal asks before it looks purchases up.
CREATE INDEX stripe_invoices_from_balance ON reconciler.stripe_invoices (id) WHERE from_balance_minor <> 0;
