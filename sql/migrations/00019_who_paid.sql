-- +goose Up
-- Who paid, as Stripe knows it: of a charge that no purchase accounts for there is nothing else to find its customer by. For explain and
-- breaks show alone; it is in no report and no log.
ALTER TABLE reconciler.stripe_charges
    ADD COLUMN email    text  NOT NULL DEFAULT '', -- of the billing details, or where the receipt goes
    ADD COLUMN metadata jsonb NOT NULL DEFAULT '{}'; -- all of it, as the platform or a person in the dashboard wrote it
-- Existing databases learn both of the last 30 days by reading these again, once.
UPDATE reconciler.stripe_watermarks SET synced_through = synced_through - interval '30 days' WHERE stream = 'charges';
