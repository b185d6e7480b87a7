-- What the ledger's entries of the night say.
SELECT coalesce(sum(credits) FILTER (WHERE kind = 'purchase'), 0)::text AS purchases,
       coalesce(sum(credits) FILTER (WHERE kind = 'promo'), 0)::text AS promotions,
       coalesce(sum(credits) FILTER (WHERE kind = 'usage'), 0)::text AS usage,
       coalesce(sum(credits) FILTER (WHERE kind = 'credit_back'), 0)::text AS credit_backs,
       coalesce(sum(credits) FILTER (WHERE kind IN ('refund', 'refund_reversal')), 0)::text AS refunds,
       coalesce(sum(credits) FILTER (WHERE kind = 'adjustment'), 0)::text AS adjustments,
       coalesce(sum(credits) FILTER (WHERE kind = 'late'), 0)::text AS late_items,
       coalesce(sum(entries) FILTER (WHERE kind = 'usage'), 0)::bigint AS debits,
       coalesce(sum(entries) FILTER (WHERE kind = 'credit_back'), 0)::bigint AS credit_back_entries,
       coalesce(sum(entries) FILTER (WHERE kind = 'late'), 0)::bigint AS late_entries
FROM (SELECT CASE WHEN late THEN 'late' ELSE kind END AS kind, sum(credits) AS credits, count(*) AS entries
      FROM {{ entries_of_night }} x GROUP BY 1) e
