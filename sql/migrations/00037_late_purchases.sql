-- +goose Up
-- The few purchases that were booked late, which the index of each night counts for closed months.
CREATE INDEX booked_purchases_late ON reconciler.booked_purchases (booked_at) WHERE is_late;
