-- What there is to match, counted apart from the matching: the night's purchases, what they and the ledger say they bring, those of other nights that
-- are looked at again, and the accounts that moved, by late entries too, or had a negative balance.
WITH also AS MATERIALIZED (
    SELECT e.account_id FROM {{ late_entries_of_night }} e
    UNION
    SELECT b.account_id FROM reconciler.breaks b
    WHERE b.job = @job::text AND b.kind = 'negative_balance' AND b.opened_on < @date::date AND (b.closed_on IS NULL OR b.closed_on >= @date::date)
)
SELECT p.purchases, p.credits, e.granted, c.again,
       m.accounts + (SELECT count(*) FROM also) - counted.accounts AS accounts
FROM (SELECT count(*) AS purchases, coalesce(sum(credits), 0) AS credits
      FROM {{ valid_purchases }} p
      WHERE status = 'completed' AND completed_at >= @begin::timestamptz AND completed_at < @end::timestamptz) p,
     (SELECT coalesce(sum(credits), 0) AS granted FROM {{ entries_of_night }} e WHERE kind = 'purchase') e,
     (SELECT count(*) AS again FROM reconciler.candidates c WHERE c.business_date = @date::date AND c.job = @job::text AND c.account_id = '') c,
     (SELECT count(*) AS accounts FROM reconciler.account_ledger l WHERE l.business_date = @date::date AND l.kept > 0) m,
     (SELECT count(*) AS accounts FROM also a JOIN reconciler.account_ledger l ON l.account_id = a.account_id AND l.business_date = @date::date AND l.kept > 0) counted
