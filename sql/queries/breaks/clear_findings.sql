DELETE FROM reconciler.findings WHERE business_date = @date::date AND job = @job::text
