-- What fingerprints say nothing of, and is looked at exactly: jobs named by entries other than debits, or by late ones.
-- Literal kinds, so that an index of the entries that are no debits can be used.
INSERT INTO reconciler.candidates (business_date, job, account_id, subject_id)
SELECT DISTINCT @date::date, @job::text, e.account_id, {{ entry_subject }}
FROM (SELECT e.* FROM source.credit_entries e
      WHERE e.created_at >= @begin::timestamptz AND e.created_at < @end::timestamptz
        AND e.kind <> 'usage' AND (e.kind = 'credit_back' OR e.kind = 'adjustment' AND e.job_id IS NOT NULL)
      UNION ALL
      SELECT e.* FROM reconciler.late_items l
      JOIN source.credit_entries e ON e.account_id = l.account_id AND e.id = l.entry_id
      WHERE (l.booked_at >= @begin::timestamptz AND l.booked_at < @end::timestamptz OR l.entry_date = @date::date)
        AND (e.kind = 'usage' AND e.credits <> 0 OR e.kind = 'credit_back' OR e.kind = 'adjustment' AND e.job_id IS NOT NULL)) e
WHERE {{ entry_is_valid }}
