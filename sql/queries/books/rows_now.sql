-- How many rows of the ledger the night has read, with how many credits, and how many there are now: counted plainly, from an index where there is
-- one.
SELECT (SELECT coalesce(sum(m.credits), 0) FROM reconciler.account_moves m WHERE m.business_date = @date::date) AS credits,
       (SELECT coalesce(sum(l.seen), 0) FROM reconciler.account_ledger l WHERE l.business_date = @date::date) AS read,
       ((SELECT count(*) FROM source.credit_entries e WHERE e.created_at >= @begin::timestamptz AND e.created_at < @end::timestamptz)
        + (SELECT count(*) FROM source.credit_entries e WHERE e.created_at IS NULL)
        + (SELECT count(*) FROM source.credit_entries e WHERE e.created_at < timestamptz '2000-01-01 00:00:00Z')
        + (SELECT count(*) FROM source.credit_entries e WHERE e.created_at > timestamptz '2199-12-31 23:59:59Z')
        - (SELECT count(*) FROM reconciler.late_items l
           JOIN source.credit_entries e ON e.account_id = l.account_id AND e.id = l.entry_id
           WHERE e.created_at >= @begin::timestamptz AND e.created_at < @end::timestamptz)) AS now
