SELECT count(DISTINCT account_id)::text FROM (
    SELECT e.account_id FROM reconciler.account_ledger e WHERE e.business_date = @date::date AND e.kept > 0
    UNION ALL
    SELECT e.account_id FROM {{ late_entries_of_night }} e
    UNION ALL
    SELECT b.account_id FROM reconciler.breaks b
    WHERE b.job = @job::text AND b.kind = 'negative_balance' AND b.opened_on < @date::date AND (b.closed_on IS NULL OR b.closed_on >= @date::date)) a
