-- +goose Up
-- Ids that a night looks for twice on a database of several nodes: each on the node that its own hash names, where two that are the same meet. Empty but
-- within that transaction.
CREATE UNLOGGED TABLE reconciler.spread_ids (
    id text NOT NULL
);
