-- How many rows there were to look at, and how many keep the contract: the two sides of the control total.
SELECT count(*)::text AS rows, count(*) FILTER (WHERE {{ job_is_valid }})::text AS kept
FROM source.jobs e
WHERE created_at >= @begin::timestamptz AND created_at < @end::timestamptz OR finished_at >= @begin::timestamptz AND finished_at < @end::timestamptz OR created_at IS NULL OR created_at < timestamptz '2000-01-01 00:00:00Z' OR created_at > timestamptz '2199-12-31 23:59:59Z'
