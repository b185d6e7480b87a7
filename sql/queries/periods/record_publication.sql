-- A rerun that published nothing new finds its row there.
INSERT INTO reconciler.month_publications (period, revision, state, action_no, manifest_sha256, published_at)
VALUES (@period::text, @revision::int, @state::text, @action_no::int, @manifest_sha256::text, @at::timestamptz)
ON CONFLICT (period, revision) DO NOTHING
