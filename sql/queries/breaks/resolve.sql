-- A person closes an open break; from the night on that is the next to be reported.
WITH g AS (
    UPDATE reconciler.breaks b
    SET closed_on = greatest(@date::date, b.opened_on), closed_as = 'resolved'
    WHERE b.break_id = @break_id::text AND b.closed_on IS NULL
    RETURNING b.account_id, b.break_id, b.closed_on
)
INSERT INTO reconciler.break_events (account_id, break_id, business_date, event_no, event, ours, theirs, variance, unit, detail, actor, reason, resolution, recorded_at)
SELECT g.account_id, g.break_id, g.closed_on,
       1 + coalesce((SELECT max(e.event_no) FROM reconciler.break_events e
                     WHERE e.account_id = g.account_id AND e.break_id = g.break_id AND e.business_date = g.closed_on), 0),
       'resolved', l.ours, l.theirs, l.variance, l.unit, l.detail, @actor::text, @reason::text, @resolution::text, @at::timestamptz
FROM g
CROSS JOIN LATERAL (SELECT e.ours, e.theirs, e.variance, e.unit, e.detail FROM reconciler.break_events e
                    WHERE e.account_id = g.account_id AND e.break_id = g.break_id
                    ORDER BY e.business_date DESC, e.event_no DESC LIMIT 1) l
