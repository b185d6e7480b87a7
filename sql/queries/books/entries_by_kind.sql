-- What the ledger's entries of the night say: debits as they were read; all others, few as they are, once more. Literal kinds, so that an index of the
-- entries that are no debits can be used. And how many rows of the ledger the night has read, with how many credits, and how many there are now:
-- counted plainly, from an index where there is one.
SELECT coalesce(sum(credits) FILTER (WHERE kind = 'purchase'), 0) AS purchases,
       coalesce(sum(credits) FILTER (WHERE kind = 'promo'), 0) AS promotions,
       coalesce(sum(credits) FILTER (WHERE kind = 'usage'), 0) AS usage,
       coalesce(sum(credits) FILTER (WHERE kind = 'credit_back'), 0) AS credit_backs,
       coalesce(sum(credits) FILTER (WHERE kind IN ('refund', 'refund_reversal')), 0) AS refunds,
       coalesce(sum(credits) FILTER (WHERE kind = 'adjustment'), 0) AS adjustments,
       coalesce(sum(credits) FILTER (WHERE kind = 'late'), 0) AS late_items,
       coalesce(sum(entries) FILTER (WHERE kind = 'usage') - sum(entries) FILTER (WHERE kind NOT IN ('usage', 'late')),
                sum(entries) FILTER (WHERE kind = 'usage'), 0)::bigint AS debits,
       coalesce(sum(entries) FILTER (WHERE kind = 'credit_back'), 0)::bigint AS credit_back_entries,
       coalesce(sum(entries) FILTER (WHERE kind = 'late'), 0)::bigint AS late_entries,
       (SELECT coalesce(sum(m.credits), 0) FROM reconciler.account_moves m WHERE m.business_date = @date::date) AS read_credits,
       (SELECT coalesce(sum(l.seen), 0) FROM reconciler.account_ledger l WHERE l.business_date = @date::date) AS read_rows,
       ((SELECT count(*) FROM source.credit_entries e WHERE e.created_at >= @begin::timestamptz AND e.created_at < @end::timestamptz)
        + (SELECT count(*) FROM source.credit_entries e WHERE e.created_at IS NULL)
        + (SELECT count(*) FROM source.credit_entries e WHERE e.created_at < timestamptz '2000-01-01 00:00:00Z')
        + (SELECT count(*) FROM source.credit_entries e WHERE e.created_at > timestamptz '2199-12-31 23:59:59Z')
        - (SELECT count(*) FROM reconciler.late_items l
           JOIN source.credit_entries e ON e.account_id = l.account_id AND e.id = l.entry_id
           WHERE e.created_at >= @begin::timestamptz AND e.created_at < @end::timestamptz)) AS rows_now
FROM (SELECT e.kind, sum(e.credits) AS credits, count(*) AS entries
      FROM source.credit_entries e
      WHERE e.created_at >= @begin::timestamptz AND e.created_at < @end::timestamptz AND e.kind <> 'usage' AND {{ entry_is_valid }}
        AND (NOT @some_moved::boolean OR NOT EXISTS (SELECT FROM reconciler.late_items l WHERE l.account_id = e.account_id AND l.entry_id = e.id))
      GROUP BY 1
      UNION ALL
      SELECT 'late', sum(e.credits), count(*) FROM {{ late_entries_of_night }} e
      UNION ALL
      -- All entries that were read, for now: debits are what is left of them.
      SELECT 'usage', -sum(l.usage), sum(l.kept) FROM reconciler.account_ledger l WHERE l.business_date = @date::date) e
