-- What there is to match, counted apart from the matching: the night's purchases, what they and the ledger say they bring, those of other nights that
-- are looked at again, and the accounts that moved.
SELECT p.purchases::text AS purchases, p.credits::text AS credits, e.granted::text AS granted,
       (SELECT count(*) FROM reconciler.candidates c WHERE c.business_date = @date::date AND c.job = @job::text AND c.account_id = '')::text AS again,
       (SELECT count(DISTINCT account_id) FROM (
            SELECT e.account_id FROM reconciler.account_ledger e WHERE e.business_date = @date::date AND e.kept > 0
            UNION ALL
            SELECT e.account_id FROM {{ late_entries_of_night }} e
            UNION ALL
            SELECT b.account_id FROM reconciler.breaks b
            WHERE b.job = @job::text AND b.kind = 'negative_balance' AND b.opened_on < @date::date AND (b.closed_on IS NULL OR b.closed_on >= @date::date)) a)::text AS accounts
FROM (SELECT count(*) AS purchases, coalesce(sum(credits), 0) AS credits
      FROM {{ valid_purchases }} p
      WHERE status = 'completed' AND completed_at >= @begin::timestamptz AND completed_at < @end::timestamptz) p,
     (SELECT coalesce(sum(credits), 0) AS granted FROM {{ entries_of_night }} e WHERE kind = 'purchase') e
