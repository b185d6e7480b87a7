-- Drops a night's reading: what an earlier run has left, and what is not needed any more once the books are closed.
WITH moves AS (DELETE FROM reconciler.account_moves WHERE business_date = @date::date),
     ledger AS (DELETE FROM reconciler.account_ledger WHERE business_date = @date::date),
     jobs AS (DELETE FROM reconciler.account_jobs WHERE business_date = @date::date)
DELETE FROM reconciler.candidates WHERE business_date = @date::date AND job = 'match-jobs'
