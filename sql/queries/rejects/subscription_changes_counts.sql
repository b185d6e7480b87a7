-- How many rows there were to look at, and how many keep the contract: the two sides of the control total.
SELECT count(*)::text AS rows, count(*) FILTER (WHERE {{ subscription_change_is_valid }})::text AS kept
FROM source.subscription_changes e
WHERE requested_at >= @begin::timestamptz AND requested_at < @end::timestamptz OR effective_at >= @begin::timestamptz AND effective_at < @end::timestamptz OR requested_at IS NULL OR requested_at < timestamptz '2000-01-01 00:00:00Z' OR requested_at > timestamptz '2199-12-31 23:59:59Z'
