DELETE FROM reconciler.subscription_checks WHERE business_date = @date::date
