-- The checks that came to a break, as findings; two checks may have come to the same one. What is awaited or broken stays, so that it can be explained;
-- what matched is counted, and proven by the totals.
WITH looked_at AS (DELETE FROM reconciler.candidates WHERE business_date = @date::date AND job = ANY (@scopes::text[])),
matched AS (DELETE FROM reconciler.stripe_checks WHERE business_date = @date::date AND job = @job::text AND outcome = 'matched')
INSERT INTO reconciler.findings (account_id, business_date, job, kind, subject_id, field, ours, theirs, variance, unit, detail)
SELECT account_id, business_date, job, kind, subject_id, field, ours, theirs, variance, unit, detail
FROM reconciler.stripe_checks
WHERE business_date = @date::date AND job = @job::text AND outcome = 'break'
ON CONFLICT DO NOTHING
