-- +goose Up
-- What statements find a control total by, where any does; its name is for people.
ALTER TABLE reconciler.control_totals ADD COLUMN control text NOT NULL DEFAULT '';
UPDATE reconciler.control_totals SET control = 'closing_is_ledger' WHERE check_name = 'closing equals the ledger';
