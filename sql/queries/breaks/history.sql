SELECT e.business_date, e.event, e.unit, e.detail, e.actor, e.resolution, e.reason
FROM reconciler.break_events e
WHERE e.break_id = @break_id::text
ORDER BY e.business_date, e.event_no
