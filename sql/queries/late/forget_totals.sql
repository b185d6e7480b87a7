DELETE FROM reconciler.input_totals WHERE business_date = @date::date
