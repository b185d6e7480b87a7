-- An open night makes what later ones have noted of the ledger before them worthless: none of them has been reported, and they will continue from this
-- one. One that notes that itself needs no more of all others than the newest that is closed, in case it never is.
WITH forgotten AS (
    DELETE FROM reconciler.ledger_before b
    WHERE b.business_date > @date::date
       OR NOT @continues::boolean
          AND (b.business_date = @date::date
               OR b.business_date < (SELECT max(o.business_date) FROM reconciler.ledger_before o
                                     JOIN reconciler.roll_forward f ON f.business_date = o.business_date AND f.measure = 'credits'
                                     WHERE o.business_date < @date::date))
    RETURNING b.business_date
)
DELETE FROM reconciler.account_entries_before a USING forgotten f WHERE a.business_date = f.business_date
