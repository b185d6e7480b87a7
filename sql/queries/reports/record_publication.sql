-- A rerun that published nothing new finds its row there.
INSERT INTO reconciler.publications (business_date, revision, as_of, manifest_sha256, previous_sha256, location, published_at)
VALUES (@date::date, @revision::int, @as_of::timestamptz, @manifest_sha256::text, @previous_sha256::text, @location::text, @at::timestamptz)
ON CONFLICT (business_date, revision) DO NOTHING
