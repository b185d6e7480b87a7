-- Breaks that are open at the end of the night, and those that were resolved or cleared in it, with the values they had then. One that this
-- same night both found and cleared is left out: an earlier run of the night saw what isn't so. A cleared one has the values of the night before.
SELECT b.break_id, b.kind, b.severity,
       CASE WHEN b.closed_on = @date::date THEN b.closed_as ELSE 'open' END AS status,
       b.account_id, b.subject_type, b.subject_id, b.field, l.ours, l.theirs, l.variance, l.unit,
       b.opened_on AS first_seen,
       CASE WHEN b.closed_on = @date::date THEN greatest(b.opened_on, {{ night_before }}) ELSE @date::date END AS last_seen,
       @date::date - b.opened_on AS age_days,
       CASE WHEN r.reason IS NULL THEN l.detail ELSE concat_ws(' ', nullif(l.detail, ''), 'Resolved by ' || r.actor || ': ' || r.reason) END AS detail
FROM reconciler.breaks b
CROSS JOIN LATERAL (
    SELECT e.ours, e.theirs, e.variance, e.unit, e.detail
    FROM reconciler.break_events e
    WHERE e.account_id = b.account_id AND e.break_id = b.break_id AND e.business_date <= @date::date AND e.event <> 'resolved'
    ORDER BY e.business_date DESC, e.event_no DESC
    LIMIT 1) l
LEFT JOIN LATERAL (
    SELECT e.actor, e.reason
    FROM reconciler.break_events e
    WHERE b.closed_on = @date::date AND b.closed_as = 'resolved'
      AND e.account_id = b.account_id AND e.break_id = b.break_id AND e.business_date <= @date::date AND e.event = 'resolved'
    ORDER BY e.business_date DESC, e.event_no DESC
    LIMIT 1) r ON true
WHERE b.opened_on <= @date::date AND (b.closed_on IS NULL OR b.closed_on >= @date::date)
  AND NOT coalesce(b.closed_on = b.opened_on AND b.closed_as = 'cleared', false)
  AND {{ newest_episode }}
ORDER BY b.break_id COLLATE "C", b.account_id COLLATE "C"
