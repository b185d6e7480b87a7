-- Late items that count in the night.
(SELECT e.id, e.account_id, e.kind, e.credits, e.purchase_id, e.job_id, e.created_at
 FROM reconciler.late_items l
 JOIN source.credit_entries e ON e.account_id = l.account_id AND e.id = l.entry_id
 WHERE l.booked_at >= @begin::timestamptz AND l.booked_at < @end::timestamptz
   AND {{ entry_is_valid }})
