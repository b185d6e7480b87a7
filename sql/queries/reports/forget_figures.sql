DELETE FROM reconciler.night_figures WHERE business_date = @date::date
