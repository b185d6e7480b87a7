DELETE FROM reconciler.account_ledger WHERE business_date = @date::date
