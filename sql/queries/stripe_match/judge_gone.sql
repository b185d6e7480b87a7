-- Objects of open breaks that the platform has no more, or that no longer keep the contract: there is nothing left to differ.
INSERT INTO reconciler.stripe_checks (business_date, job, control, again, subject_id, outcome)
SELECT @date::date, @job::text, @scope::text, @again::boolean, k.subject_id, 'matched'
FROM reconciler.candidates k
WHERE k.business_date = @date::date AND k.job = @scope::text AND NOT k.in_scan
  AND NOT EXISTS (SELECT FROM reconciler.stripe_checks c
                  WHERE c.business_date = @date::date AND c.job = @job::text AND c.subject_id = k.subject_id AND c.control = @scope::text)
