SELECT e.event, b.kind, count(*) AS count
FROM reconciler.break_events e
JOIN (SELECT DISTINCT break_id, kind FROM reconciler.breaks) b ON b.break_id = e.break_id
WHERE e.business_date = @date::date
GROUP BY 1, 2
ORDER BY 1, 2
