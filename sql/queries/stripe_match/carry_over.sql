-- Subjects of breaks that were open before this night: a break clears only when an exact look finds it gone.
INSERT INTO reconciler.candidates (business_date, job, account_id, subject_id)
SELECT DISTINCT @date::date, @scope::text, '', b.subject_id
FROM reconciler.breaks b
WHERE b.job = @job::text AND b.subject_type = @subject_type::text
  AND b.opened_on < @date::date AND (b.closed_on IS NULL OR b.closed_on >= @date::date)
ON CONFLICT DO NOTHING
