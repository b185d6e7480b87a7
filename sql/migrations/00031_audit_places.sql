-- +goose Up
-- A change has a place in the log of its own, whatever account it is of. One index says so and finds it, where two did. One change a statement, as Citus takes them.
ALTER TABLE reconciler.audit_changes DROP CONSTRAINT audit_changes_account_id_link_change_no_key;
ALTER TABLE reconciler.audit_changes ADD CONSTRAINT audit_changes_place UNIQUE (link, change_no);
DROP INDEX reconciler.audit_changes_link;
