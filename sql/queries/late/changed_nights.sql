-- Reported nights whose rows are no longer those that were read then. Count and sum only: cheap; the accounts are looked at where they differ.
-- Of a night that need not be looked at thoroughly, purchases alone.
SELECT n.business_date, t.relation, n.begins, n.ends, now.rows - t.rows AS gained, (now.amount - t.amount)::text AS gained_amount
FROM unnest(@dates::date[], @begins::timestamptz[], @ends::timestamptz[], @thorough::boolean[]) AS n (business_date, begins, ends, thorough)
JOIN reconciler.input_totals t ON t.business_date = n.business_date AND (n.thorough OR t.relation = 'purchases')
CROSS JOIN LATERAL (SELECT count(*) AS rows, coalesce(sum(x.amount), 0) AS amount FROM {{ night_rows }} x WHERE x.relation = t.relation) now
WHERE (now.rows, now.amount) IS DISTINCT FROM (t.rows, t.amount)
ORDER BY 1, 2
