-- Shown in the night that it belongs to, and never before what it follows on.
INSERT INTO reconciler.refund_events (account_id, intent_id, event_no, state_before, state, field, ours, theirs, reason, refund_id, business_date, actor, run, at)
SELECT @account_id::text, @intent_id::text, @event_no::int, @state_before::text, @state::text, @field::text, @ours::text, @theirs::text, @reason::text,
       @refund_id::text, greatest(@date::date, max(e.business_date)), @actor::text, @run::text, @at::timestamptz
FROM reconciler.refund_events e
WHERE e.account_id = @account_id::text AND e.intent_id = @intent_id::text
