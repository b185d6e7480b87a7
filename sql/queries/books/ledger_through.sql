-- The ledger itself, summed from its first entry to an instant: what the closing, rolled forward from night to night, must still be, and the opening
-- where there is no night before. It reads the whole ledger, in order that a row which no night has seen can't go unnoticed; what was booked on another
-- side of that instant than it is stamped is put right afterwards, as it is next to nothing.
SELECT (SELECT coalesce(sum(e.credits), 0) FROM source.credit_entries e WHERE e.created_at < @until::timestamptz AND {{ entry_is_valid }})
       + (SELECT coalesce(sum(CASE WHEN l.booked_at < @until::timestamptz THEN e.credits ELSE -e.credits::numeric END), 0)
          FROM reconciler.late_items l
          JOIN source.credit_entries e ON e.account_id = l.account_id AND e.id = l.entry_id
          WHERE (l.booked_at < @until::timestamptz) <> (e.created_at < @until::timestamptz) AND {{ entry_is_valid }})
