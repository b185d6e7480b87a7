-- What is awaited or broken stays, so that it can be explained; what matched is counted, and proven by the totals.
WITH looked_at AS (DELETE FROM reconciler.candidates WHERE business_date = @date::date AND job = ANY (@scopes::text[])),
matched AS (DELETE FROM reconciler.stripe_checks WHERE business_date = @date::date AND job = @job::text AND outcome = 'matched')
SELECT 1 AS finished
