INSERT INTO reconciler.refund_events (account_id, intent_id, event_no, state_before, state, business_date, actor, run, at)
SELECT account_id, intent_id, 1, '', 'planned', @date::date, @actor::text, @run::text, @at::timestamptz
FROM reconciler.refund_intents
WHERE plan_id = @plan_id::text
