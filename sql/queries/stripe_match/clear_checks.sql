DELETE FROM reconciler.stripe_checks WHERE business_date = @date::date AND job = @job::text
