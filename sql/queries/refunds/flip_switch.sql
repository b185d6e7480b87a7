INSERT INTO reconciler.refund_switch (action_no, action, actor, reason, at)
VALUES (@action_no::int, @action::text, @actor::text, @reason::text, @at::timestamptz)
