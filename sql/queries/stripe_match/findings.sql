-- The checks that came to a break, as findings. Two checks may have come to the same one.
INSERT INTO reconciler.findings (account_id, business_date, job, kind, subject_id, field, ours, theirs, variance, unit, detail)
SELECT account_id, business_date, job, kind, subject_id, field, ours, theirs, variance, unit, detail
FROM reconciler.stripe_checks
WHERE business_date = @date::date AND job = @job::text AND outcome = 'break'
ON CONFLICT DO NOTHING
