-- How many rows there were to look at, and how many keep the contract: the two sides of the control total.
SELECT count(*)::text AS rows, count(*) FILTER (WHERE {{ subscription_is_valid }})::text AS kept
FROM source.subscriptions e
