-- The ledger's entries by their stamps, as totals of them are taken. Late items count elsewhere.
(SELECT e.account_id, e.id, e.credits, e.created_at AS at
 FROM source.credit_entries e
 WHERE {{ entry_is_valid }}
   AND NOT EXISTS (SELECT FROM reconciler.late_items l WHERE l.account_id = e.account_id AND l.entry_id = e.id))
