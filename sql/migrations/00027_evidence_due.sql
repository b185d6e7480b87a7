-- +goose Up
-- A dispute's evidence is due by another date once an inquiry has become a chargeback: a night has the date that there was at its end.
ALTER TABLE reconciler.stripe_states ADD COLUMN evidence_due_by timestamptz;
COMMENT ON COLUMN reconciler.stripe_states.evidence_due_by IS 'Of a dispute, while Stripe names one: by when its evidence was due in this state.';
UPDATE reconciler.stripe_states s SET evidence_due_by = d.evidence_due_by FROM reconciler.stripe_disputes d WHERE d.id = s.object_id AND d.evidence_due_by IS NOT NULL;
