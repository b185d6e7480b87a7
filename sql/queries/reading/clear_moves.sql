DELETE FROM reconciler.account_moves WHERE business_date = @date::date
