-- The late items of account a, as entries e, that count from its position p on, to @begin.
reconciler.late_items l
JOIN source.credit_entries e ON e.account_id = l.account_id AND e.id = l.entry_id
WHERE l.account_id = a.account_id AND l.booked_at >= coalesce(p.as_of, '-infinity') AND l.booked_at < @begin::timestamptz
  AND {{ entry_is_valid }}
