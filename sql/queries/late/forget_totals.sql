WITH by_account AS (DELETE FROM reconciler.account_entries WHERE business_date = @date::date)
DELETE FROM reconciler.input_totals WHERE business_date = @date::date
