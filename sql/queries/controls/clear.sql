DELETE FROM reconciler.control_totals WHERE business_date = @date::date AND job = @job::text
