-- +goose Up
-- Who looks a customer up also finds the charges that no purchase accounts for: by the address that they were paid with, and by the customer of Stripe's
-- who paid the account's others.
CREATE INDEX stripe_charges_email ON reconciler.stripe_charges (lower(email)) WHERE email <> '';
CREATE INDEX stripe_charges_unaccounted ON reconciler.stripe_charges (customer_id) WHERE customer_id <> '' AND (email <> '' OR metadata <> '{}');
