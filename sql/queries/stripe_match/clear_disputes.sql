DELETE FROM reconciler.dispute_cases WHERE business_date = @date::date
