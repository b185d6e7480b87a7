-- What there is to match, counted without any comparison: the other side of the control totals, and the proof that what was read is still all. Where every
-- row kept the contract when it was read (@all_kept), whatever is stamped in the night counts: one more, of any kind, shows as a difference.
SELECT j.jobs, j.cost, e.entries, e.credits, e.debits, l.debits AS late_debits
FROM (SELECT count(*) AS jobs, coalesce(sum(credit_cost), 0) AS cost
      FROM source.jobs j
      WHERE finished_at >= @begin::timestamptz AND finished_at < @end::timestamptz AND (@all_kept::boolean OR {{ job_is_valid }})) j,
     (SELECT count(*) AS entries, coalesce(sum(e.credits), 0) AS credits, coalesce(-sum(e.credits) FILTER (WHERE e.kind = 'usage'), 0) AS debits
      FROM source.credit_entries e
      WHERE e.created_at >= @begin::timestamptz AND e.created_at < @end::timestamptz AND (@all_kept::boolean OR {{ entry_is_valid }})
        AND (NOT @some_moved::boolean OR NOT EXISTS (SELECT FROM reconciler.late_items l WHERE l.account_id = e.account_id AND l.entry_id = e.id))) e,
     (SELECT coalesce(-sum(e.credits), 0) AS debits FROM {{ late_entries_of_night }} e WHERE e.kind = 'usage') l
