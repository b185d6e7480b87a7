INSERT INTO reconciler.periods (period, action_no, action, actor, reason, at)
VALUES (@period::text, @action_no::int, @action::text, @actor::text, @reason::text, @at::timestamptz)
