-- What the night has read of the ledger, in credits.
SELECT coalesce(sum(m.credits), 0)::text FROM reconciler.account_moves m WHERE m.business_date = @date::date
