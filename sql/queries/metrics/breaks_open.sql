SELECT kind, severity, count(*) AS count
FROM reconciler.breaks
WHERE opened_on <= @date::date AND (closed_on IS NULL OR closed_on > @date::date)
GROUP BY kind, severity
