DELETE FROM reconciler.request_matches WHERE business_date = @date::date
