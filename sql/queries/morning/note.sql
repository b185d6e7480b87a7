-- The first to note an event of a message has it: that is how one worker claims a try.
INSERT INTO reconciler.morning_messages (subject, address_sha256, attempt_no, event, address, detail, at)
VALUES (@subject::text, @address_sha256::text, @attempt_no::int, @event::text, @address::text, @detail::text, @at::timestamptz)
ON CONFLICT (subject, address_sha256, attempt_no, event) DO NOTHING
