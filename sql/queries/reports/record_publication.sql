-- A rerun that published nothing new finds its row there. Returned is what is on record.
WITH added AS (
    INSERT INTO reconciler.publications (business_date, revision, as_of, manifest_sha256, previous_sha256, location, published_at)
    VALUES (@date::date, @revision::int, @as_of::timestamptz, @manifest_sha256::text, @previous_sha256::text, @location::text, @at::timestamptz)
    ON CONFLICT (business_date, revision) DO NOTHING
    RETURNING manifest_sha256
)
SELECT manifest_sha256 FROM added
UNION ALL
SELECT manifest_sha256 FROM reconciler.publications WHERE business_date = @date::date AND revision = @revision::int
