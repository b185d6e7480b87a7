DELETE FROM reconciler.rejects WHERE business_date = @date::date AND problem LIKE 'turned up late%'
