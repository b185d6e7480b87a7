SELECT count(DISTINCT account_id)::text FROM (
    SELECT e.account_id FROM {{ entries_of_night }} e
    UNION ALL
    SELECT b.account_id FROM reconciler.breaks b
    WHERE b.job = @job::text AND b.kind = 'negative_balance' AND b.opened_on < @date::date AND (b.closed_on IS NULL OR b.closed_on >= @date::date)) a
