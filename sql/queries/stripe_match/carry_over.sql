-- Subjects of breaks that were open before this night: a break clears only when an exact look finds it gone.
INSERT INTO reconciler.candidates (business_date, job, account_id, subject_id)
SELECT DISTINCT @date::date, s.scope, '', b.subject_id
FROM unnest(@scopes::text[], @subject_types::text[]) AS s (scope, subject_type)
JOIN reconciler.breaks b ON b.subject_type = s.subject_type
WHERE b.job = @job::text AND b.opened_on < @date::date AND (b.closed_on IS NULL OR b.closed_on >= @date::date)
ON CONFLICT DO NOTHING
