-- The constraint closer_is_not_reviewer refuses who closed the month.
INSERT INTO reconciler.period_reviews (period, action_no, closer, reviewed_by, manifest_sha256, at)
SELECT p.period, p.action_no, p.person, @reviewed_by::text, @manifest_sha256::text, @at::timestamptz
FROM reconciler.periods p
WHERE p.period = @period::text AND p.action_no = @action_no::int AND p.action = 'closed'
