-- +goose Up
-- Nights read their rows themselves again: nothing is read ahead of its turn any more.
DROP TABLE reconciler.readings_ahead;
