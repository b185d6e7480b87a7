-- How many rows there were to look at, and how many keep the contract: the two sides of the control total. Entries that turned up after the night
-- had been reported belong to the night that booked them: a rerun counts what the first run did.
SELECT count(*)::text AS rows, count(*) FILTER (WHERE {{ entry_is_valid }})::text AS kept
FROM source.credit_entries e
WHERE (created_at >= @begin::timestamptz AND created_at < @end::timestamptz OR created_at IS NULL OR created_at < timestamptz '2000-01-01 00:00:00Z' OR created_at > timestamptz '2199-12-31 23:59:59Z')
  AND NOT EXISTS (SELECT FROM reconciler.late_items l WHERE l.account_id = e.account_id AND l.entry_id = e.id)
