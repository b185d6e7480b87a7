-- Reported nights whose rows are no longer those that were read then. Count and sum only: cheap; the accounts are looked at where they differ.
-- Of a night that need not be looked at thoroughly, purchases and changes of plan alone.
WITH n AS MATERIALIZED (
    SELECT n.business_date, n.begins, n.ends, t.relation, t.rows, t.amount
    FROM unnest(@dates::date[], @begins::timestamptz[], @ends::timestamptz[], @thorough::boolean[]) AS n (business_date, begins, ends, thorough)
    JOIN reconciler.input_totals t ON t.business_date = n.business_date AND (n.thorough OR t.relation IN ('purchases', 'subscription_changes'))
), entries AS MATERIALIZED (
    SELECT n.business_date, n.relation, count(*) AS rows, sum(e.credits) AS amount
    FROM n JOIN {{ stamped_entries }} e ON e.at >= n.begins AND e.at < n.ends WHERE n.relation = 'credit_entries' GROUP BY 1, 2
), jobs AS MATERIALIZED (
    SELECT n.business_date, n.relation, count(*) AS rows, sum(j.credit_cost) AS amount
    FROM n JOIN {{ valid_jobs }} j ON j.finished_at >= n.begins AND j.finished_at < n.ends WHERE n.relation = 'jobs' GROUP BY 1, 2
), purchases AS MATERIALIZED (
    SELECT n.business_date, n.relation, count(*) AS rows, sum(p.credits) AS amount
    FROM n JOIN {{ valid_purchases }} p ON p.status = 'completed' AND p.completed_at >= n.begins AND p.completed_at < n.ends WHERE n.relation = 'purchases' GROUP BY 1, 2
), changes AS MATERIALIZED (
    SELECT n.business_date, n.relation, count(*) AS rows, 0::numeric AS amount
    FROM n JOIN {{ valid_subscription_changes }} h ON h.effective_at >= n.begins AND h.effective_at < n.ends WHERE n.relation = 'subscription_changes' GROUP BY 1, 2
)
SELECT n.business_date, n.relation, n.begins, n.ends, coalesce(now.rows, 0) - n.rows AS gained, coalesce(now.amount, 0) - n.amount AS gained_amount
FROM n
LEFT JOIN (SELECT * FROM entries UNION ALL SELECT * FROM jobs UNION ALL SELECT * FROM purchases UNION ALL SELECT * FROM changes) now ON now.business_date = n.business_date AND now.relation = n.relation
WHERE (coalesce(now.rows, 0), coalesce(now.amount, 0)) IS DISTINCT FROM (n.rows, n.amount)
ORDER BY 1, 2
