WITH by_account AS (DELETE FROM reconciler.account_entries WHERE business_date = @date::date),
totals AS (DELETE FROM reconciler.input_totals WHERE business_date = @date::date)
SELECT 1 AS forgotten
