-- +goose Up
-- Why a row was rejected, apart from what people read of it: it broke the contract in its own night ('contract') or arrived after that, broken ('late'),
-- or its id is there more than once ('duplicate').
ALTER TABLE reconciler.rejects ADD COLUMN cause text NOT NULL DEFAULT 'contract';
ALTER TABLE reconciler.rejects ADD CONSTRAINT rejects_cause_check CHECK (cause IN ('contract', 'late', 'duplicate'));
UPDATE reconciler.rejects SET cause = 'late' WHERE problem LIKE 'turned up late%';
UPDATE reconciler.rejects SET cause = 'duplicate' WHERE field = 'id' AND problem LIKE 'is not unique%';
ALTER TABLE reconciler.rejects ALTER COLUMN cause DROP DEFAULT;
