-- +goose Up
-- Purchases that were changed after they were booked, as each night first saw them: the journal clears what they were corrected by.
ALTER TABLE reconciler.platform_states DROP CONSTRAINT platform_states_relation_check;
ALTER TABLE reconciler.platform_states ADD CONSTRAINT platform_states_relation_check CHECK (relation IN ('subscriptions', 'accounts', 'purchases'));
CREATE INDEX platform_states_seen ON reconciler.platform_states (relation, seen_as_of);
-- What has been cleared of payments is looked at again: few, among a line for every purchase.
CREATE INDEX journal_lines_cleared ON reconciler.journal_lines (business_date) WHERE kind = 'payment cleared';
