-- +goose Up
-- Since when an object that awaits its counterpart has been waiting.
ALTER TABLE reconciler.stripe_checks ADD COLUMN since timestamptz;
