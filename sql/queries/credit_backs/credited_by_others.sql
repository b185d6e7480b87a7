-- Jobs that others than this worker credited back in the night: of whatever night, and however they ended. Literal kinds, so that an index of
-- the entries that are no debits can be used.
INSERT INTO reconciler.candidates (business_date, job, account_id, subject_id, in_scan)
SELECT DISTINCT @date::date, @job::text, '', e.job_id, true
FROM (SELECT e.* FROM source.credit_entries e
      WHERE e.created_at >= @begin::timestamptz AND e.created_at < @end::timestamptz AND e.kind <> 'usage' AND e.kind = 'credit_back'
        AND NOT EXISTS (SELECT FROM reconciler.late_items l WHERE l.account_id = e.account_id AND l.entry_id = e.id)
      UNION ALL
      SELECT e.* FROM reconciler.late_items l
      JOIN source.credit_entries e ON e.account_id = l.account_id AND e.id = l.entry_id
      WHERE l.booked_at >= @begin::timestamptz AND l.booked_at < @end::timestamptz AND e.kind = 'credit_back') e
WHERE e.job_id IS NOT NULL AND e.credits > 0 AND {{ entry_is_valid }} AND {{ credited_by_others }}
ON CONFLICT (business_date, job, account_id, subject_id) DO UPDATE SET in_scan = true
