-- What was open at the night's opening, or opened by an earlier run of this night, and is not found any more.
WITH gone AS (
    UPDATE reconciler.breaks b
    SET closed_on = @date::date, closed_as = 'cleared'
    WHERE b.job = @job::text AND b.opened_on <= @date::date AND (b.closed_on IS NULL OR b.closed_on > @date::date)
      AND NOT EXISTS (SELECT FROM reconciler.findings f
                      WHERE f.account_id = b.account_id AND f.business_date = @date::date AND f.job = b.job AND f.break_id = b.break_id)
      AND {{ newest_episode }}
    RETURNING b.account_id, b.break_id
)
INSERT INTO reconciler.break_events (account_id, break_id, business_date, event_no, event, ours, theirs, variance, unit, detail, actor, recorded_at)
SELECT g.account_id, g.break_id, @date::date, {{ next_event_no }}, 'cleared', l.ours, l.theirs, l.variance, l.unit, l.detail, 'reconciler', @as_of::timestamptz
FROM gone g
CROSS JOIN LATERAL {{ last_event }} l
