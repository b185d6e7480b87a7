-- Drops what a night works with: what an earlier run may have left, and what is not needed any more once the books are closed.
WITH moves AS (DELETE FROM reconciler.account_moves WHERE business_date = @date::date),
     ledger AS (DELETE FROM reconciler.account_ledger WHERE business_date = @date::date),
     jobs AS (DELETE FROM reconciler.account_jobs WHERE business_date = @date::date),
     found AS (DELETE FROM reconciler.findings WHERE business_date = @date::date),
     judged AS (DELETE FROM reconciler.candidates WHERE business_date = @date::date)
SELECT 1 AS cleared
