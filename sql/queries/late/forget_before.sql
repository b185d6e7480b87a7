-- What a night had noted of the ledger before it, and what others had that have never been reported or are older than one that has been.
WITH forgotten AS (
    DELETE FROM reconciler.ledger_before b
    WHERE b.business_date = @date::date OR b.business_date IS DISTINCT FROM (
        SELECT max(o.business_date) FROM reconciler.ledger_before o
        WHERE o.business_date <> @date::date
          AND EXISTS (SELECT FROM reconciler.runs r WHERE r.business_date = o.business_date AND r.job = 'reports' AND r.status = 'completed'))
    RETURNING b.business_date
)
DELETE FROM reconciler.account_entries_before a USING forgotten f WHERE a.business_date = f.business_date
