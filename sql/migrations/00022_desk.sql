-- +goose Up
-- The desk pages through open breaks in this order.
CREATE INDEX breaks_open_since ON reconciler.breaks (opened_on, break_id) WHERE closed_on IS NULL;
