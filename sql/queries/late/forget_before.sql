-- Once a night is open, what later nights have noted of the ledger before them is worth nothing: none of them has been reported, and they will continue
-- from this one. A night that notes the ledger before it itself keeps the note of the newest closed night alone, in case it is never closed.
WITH forgotten AS (
    DELETE FROM reconciler.ledger_before b
    WHERE b.business_date > @date::date
       OR NOT @continues::boolean
          AND (b.business_date = @date::date
               OR b.business_date < (SELECT max(o.business_date) FROM reconciler.ledger_before o
                                     JOIN reconciler.roll_forward f ON f.business_date = o.business_date AND f.measure = 'credits'
                                     WHERE o.business_date < @date::date))
    RETURNING b.business_date
),
by_account AS (DELETE FROM reconciler.account_entries_before a USING forgotten f WHERE a.business_date = f.business_date)
SELECT 1 AS forgotten
