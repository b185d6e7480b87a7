-- Subjects of breaks that were open before this night: a break clears only when an exact look finds it gone. Of entries that name nothing and
-- of ids that look the same, see fragment entry_subject; only breaks of an earlier version leave open which of the two they are about.
INSERT INTO reconciler.candidates (business_date, job, account_id, subject_id)
SELECT DISTINCT @date::date, @job::text, '', s.subject_id
FROM reconciler.breaks b
CROSS JOIN LATERAL (
    SELECT CASE WHEN b.subject_id LIKE 'entry:%' THEN 'entry:named:' || b.subject_id ELSE b.subject_id END AS subject_id WHERE b.field <> 'entry.credits'
    UNION ALL
    SELECT 'entry:self:' || substr(b.subject_id, 7) WHERE b.subject_id LIKE 'entry:%') s
WHERE b.job = @job::text AND b.opened_on < @date::date AND (b.closed_on IS NULL OR b.closed_on >= @date::date)
  AND b.kind <> ALL (@except_kinds::text[])
ON CONFLICT DO NOTHING
