-- What there is now of a relation in a night, as the night's totals have it.
SELECT x.rows, x.amount
FROM (SELECT 'jobs' AS relation, count(*) AS rows, coalesce(sum(j.credit_cost), 0) AS amount
      FROM {{ valid_jobs }} j WHERE j.finished_at >= @begins::timestamptz AND j.finished_at < @ends::timestamptz
      UNION ALL
      SELECT 'purchases', count(*), coalesce(sum(p.credits), 0)
      FROM {{ valid_purchases }} p WHERE p.status = 'completed' AND p.completed_at >= @begins::timestamptz AND p.completed_at < @ends::timestamptz
      UNION ALL
      SELECT 'subscription_changes', count(*), 0
      FROM {{ valid_subscription_changes }} h WHERE h.effective_at >= @begins::timestamptz AND h.effective_at < @ends::timestamptz
      UNION ALL
      SELECT 'credit_entries', count(*), coalesce(sum(e.credits), 0)
      FROM {{ stamped_entries }} e WHERE e.at >= @begins::timestamptz AND e.at < @ends::timestamptz) x
WHERE x.relation = @relation::text
