-- Credit-backs of ours that count in the night: those that the night before has posted.
INSERT INTO reconciler.account_ledger AS l (account_id, business_date, seen, kept, credits, taken, usage, credit_backs, id_hash, debits, first, second)
SELECT e.account_id, @date::date, count(*), count(e.kept), coalesce(sum(e.kept), 0), 0, 0, coalesce(sum(e.kept), 0),
       coalesce(bit_xor(hashtextextended(e.id, 0)) FILTER (WHERE e.kept IS NOT NULL), 0), 0, 0, 0
FROM (SELECT e.account_id, e.id, CASE WHEN {{ entry_is_valid }} THEN e.credits END AS kept
      FROM source.credit_entries e
      WHERE {{ entry_of_night }} AND {{ entry_is_ours }} AND e.kind <> 'usage'
        AND (NOT @some_moved::boolean OR NOT EXISTS (SELECT FROM reconciler.late_items i WHERE i.account_id = e.account_id AND i.entry_id = e.id))) e
GROUP BY 1
ON CONFLICT (account_id, business_date) DO UPDATE
SET seen = l.seen + excluded.seen, kept = l.kept + excluded.kept, credits = l.credits + excluded.credits,
    credit_backs = l.credit_backs + excluded.credit_backs, id_hash = l.id_hash # excluded.id_hash
