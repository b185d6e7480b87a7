-- Every month that has been published or closed: its newest revision, its state, and what arrived late for it after it was closed.
WITH late AS MATERIALIZED (SELECT l.entry_date, l.booked_on, count(*) AS entries FROM reconciler.late_items l GROUP BY 1, 2),
     late_purchase AS MATERIALIZED (SELECT p.completed_at, p.booked_at, count(*) AS purchases FROM reconciler.booked_purchases p WHERE p.is_late GROUP BY 1, 2)
SELECT m.period, coalesce(p.revision, 0) AS revision,
       CASE WHEN coalesce(a.action, 'open') <> 'closed' THEN 'draft' WHEN r.period IS NOT NULL THEN 'reviewed' ELSE 'closed' END AS state,
       coalesce(CASE a.action WHEN 'closed' THEN a.actor END, '') AS closed_by, coalesce(r.reviewed_by, '') AS reviewed_by,
       CASE a.action WHEN 'closed' THEN
            (SELECT coalesce(sum(l.entries), 0)::bigint FROM late l
             WHERE l.entry_date BETWEEN (m.period || '-01')::date AND ((m.period || '-01')::date + interval '1 month - 1 day')::date
               AND l.booked_on > c.through)
            + (SELECT coalesce(sum(l.purchases), 0)::bigint FROM late_purchase l
               WHERE l.completed_at >= ((m.period || '-01')::timestamp AT TIME ZONE z.name) AND l.completed_at < (((m.period || '-01')::date + interval '1 month') AT TIME ZONE z.name)
                 AND l.booked_at >= ((c.through + 1)::timestamp AT TIME ZONE z.name))
            + (SELECT count(*) FROM reconciler.stripe_late l
               WHERE l.created_at >= ((m.period || '-01')::timestamp AT TIME ZONE z.name) AND l.created_at < (((m.period || '-01')::date + interval '1 month') AT TIME ZONE z.name)
                 AND l.booked_on > c.through) ELSE 0 END AS late
FROM (SELECT period FROM reconciler.month_publications UNION SELECT period FROM reconciler.periods) m
LEFT JOIN LATERAL (SELECT p.revision FROM reconciler.month_publications p WHERE p.period = m.period ORDER BY p.revision DESC LIMIT 1) p ON true
LEFT JOIN LATERAL (SELECT a.action_no, a.action, a.actor, a.period, a.at FROM reconciler.periods a WHERE a.period = m.period ORDER BY a.action_no DESC LIMIT 1) a ON true
LEFT JOIN LATERAL (SELECT {{ reported_at_closing }} AS through FROM (SELECT a.period, a.at) p) c ON true
LEFT JOIN LATERAL (SELECT coalesce((SELECT t.zone FROM reconciler.time_zone t), 'UTC') AS name) z ON true
LEFT JOIN reconciler.period_reviews r ON r.period = m.period AND r.action_no = a.action_no
ORDER BY 1
