-- The entries that count in [@begin, @end): those stamped in it, less those booked in a later night, plus the late ones booked in it.
(SELECT e.id, e.account_id, e.kind, e.credits, e.purchase_id, e.job_id, e.created_at, false AS late
 FROM source.credit_entries e
 WHERE e.created_at >= @begin::timestamptz AND e.created_at < @end::timestamptz
   AND {{ entry_is_valid }}
   AND NOT EXISTS (SELECT FROM reconciler.late_items l WHERE l.account_id = e.account_id AND l.entry_id = e.id)
 UNION ALL
 SELECT e.id, e.account_id, e.kind, e.credits, e.purchase_id, e.job_id, e.created_at, true AS late
 FROM reconciler.late_items l
 JOIN source.credit_entries e ON e.account_id = l.account_id AND e.id = l.entry_id
 WHERE l.booked_at >= @begin::timestamptz AND l.booked_at < @end::timestamptz
   AND {{ entry_is_valid }})
