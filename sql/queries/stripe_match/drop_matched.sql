-- What is awaiting or broken stays, so that it can be explained; what matched is counted, and proven by the totals.
DELETE FROM reconciler.stripe_checks WHERE business_date = @date::date AND job = @job::text AND outcome = 'matched'
