-- The rows of three relations that count in a period [n.begins, n.ends), as the totals of a night see them. Late items count elsewhere.
(SELECT 'credit_entries' AS relation, e.account_id, e.id, e.credits AS amount, e.created_at AS at
 FROM source.credit_entries e
 WHERE e.created_at >= n.begins AND e.created_at < n.ends AND {{ entry_is_valid }}
   AND NOT EXISTS (SELECT FROM reconciler.late_items l WHERE l.account_id = e.account_id AND l.entry_id = e.id)
 UNION ALL
 SELECT 'jobs', j.account_id, j.id, j.credit_cost, j.finished_at FROM {{ valid_jobs }} j WHERE j.finished_at >= n.begins AND j.finished_at < n.ends
 UNION ALL
 SELECT 'purchases', p.account_id, p.id, p.credits, p.completed_at FROM {{ valid_purchases }} p
 WHERE p.status = 'completed' AND p.completed_at >= n.begins AND p.completed_at < n.ends)
