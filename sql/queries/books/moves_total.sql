-- What the night has read of the ledger, in total.
SELECT coalesce(sum(m.credits), 0)::text AS credits, coalesce(-sum(m.usage), 0)::text AS usage
FROM reconciler.account_moves m WHERE m.business_date = @date::date
