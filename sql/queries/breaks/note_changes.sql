-- Still there, with other values than the last ones noted.
INSERT INTO reconciler.break_events (account_id, break_id, business_date, event_no, event, ours, theirs, variance, unit, detail, actor, recorded_at)
SELECT g.account_id, g.break_id, @date::date, {{ next_event_no }}, 'changed', g.ours, g.theirs, g.variance, g.unit, g.detail, 'reconciler', @as_of::timestamptz
FROM reconciler.findings g
JOIN reconciler.breaks b ON b.account_id = g.account_id AND b.break_id = g.break_id
 AND b.opened_on <= @date::date AND (b.closed_on IS NULL OR b.closed_on > @date::date)
 AND {{ newest_episode }}
CROSS JOIN LATERAL {{ last_event }} l
WHERE g.business_date = @date::date AND g.job = @job::text
  AND (l.ours, l.theirs, l.variance, l.unit, l.detail) IS DISTINCT FROM (g.ours, g.theirs, g.variance, g.unit, g.detail)
