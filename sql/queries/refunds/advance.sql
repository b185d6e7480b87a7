-- Only from the state and the version that the step was decided on: whoever was overtaken changes nothing.
UPDATE reconciler.refund_intents
SET state = @state::text, version = version + 1, fence = @fence::bigint,
    approved_plan_id = coalesce(approved_plan_id, nullif(@approved_plan_id::text, '')),
    hold_entry_id = CASE WHEN hold_entry_id = '' THEN @hold_entry_id::text ELSE hold_entry_id END,
    release_entry_id = CASE WHEN release_entry_id = '' THEN @release_entry_id::text ELSE release_entry_id END,
    given_back = given_back + @given_back::bigint,
    refund_id = CASE WHEN refund_id = '' THEN @refund_id::text ELSE refund_id END,
    first_sent_at = coalesce(first_sent_at, @first_sent_at::timestamptz),
    sent_on = coalesce(sent_on, @sent_on::date)
WHERE account_id = @account_id::text AND intent_id = @intent_id::text AND state = @state_before::text AND version = @version::int
