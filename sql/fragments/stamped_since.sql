-- The entries e of account a that are stamped from its position p on, to @begin; all before that, where it has none.
source.credit_entries e
WHERE e.account_id = a.account_id AND e.created_at >= coalesce(p.as_of, '-infinity') AND e.created_at < @begin::timestamptz
  AND {{ entry_is_valid }}
  AND NOT EXISTS (SELECT FROM reconciler.late_items l WHERE l.account_id = e.account_id AND l.entry_id = e.id)
