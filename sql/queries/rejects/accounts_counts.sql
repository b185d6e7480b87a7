-- How many rows there were to look at, and how many keep the contract: the two sides of the control total.
SELECT count(*)::text AS rows, count(*) FILTER (WHERE {{ account_is_valid }})::text AS kept
FROM source.accounts e
WHERE created_at >= @begin::timestamptz AND created_at < @end::timestamptz OR created_at IS NULL OR created_at < timestamptz '2000-01-01 00:00:00Z' OR created_at > timestamptz '2199-12-31 23:59:59Z'
