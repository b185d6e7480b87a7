INSERT INTO reconciler.period_acceptances (account_id, period, action_no, break_id, accepted_by, reason, at)
VALUES (@account_id::text, @period::text, @action_no::int, @break_id::text, @accepted_by::text, @reason::text, @at::timestamptz)
