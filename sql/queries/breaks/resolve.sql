-- A person closes an open break; from the night on that is the next to be reported.
WITH g AS MATERIALIZED (
    SELECT b.account_id, b.break_id, b.opened_on, l.*,
           1 + coalesce((SELECT max(e.event_no) FROM reconciler.break_events e
                         WHERE e.account_id = b.account_id AND e.break_id = b.break_id AND e.business_date = greatest(@date::date, b.opened_on)), 0) AS event_no
    FROM reconciler.breaks b
    CROSS JOIN LATERAL (SELECT e.ours, e.theirs, e.variance, e.unit, e.detail FROM reconciler.break_events e
                        WHERE e.account_id = b.account_id AND e.break_id = b.break_id
                        ORDER BY e.business_date DESC, e.event_no DESC LIMIT 1) l
    WHERE b.break_id = @break_id::text AND b.closed_on IS NULL
), closed AS (
    UPDATE reconciler.breaks b
    SET closed_on = greatest(@date::date, b.opened_on), closed_as = 'resolved'
    WHERE b.break_id = @break_id::text AND b.closed_on IS NULL
    RETURNING b.account_id, b.break_id, b.opened_on, b.closed_on
)
INSERT INTO reconciler.break_events (account_id, break_id, business_date, event_no, event, ours, theirs, variance, unit, detail, actor, reason, resolution, recorded_at)
SELECT g.account_id, g.break_id, c.closed_on, g.event_no, 'resolved', g.ours, g.theirs, g.variance, g.unit, g.detail, @actor::text, @reason::text, @resolution::text, @at::timestamptz
FROM closed c
JOIN g ON g.account_id = c.account_id AND g.break_id = c.break_id AND g.opened_on = c.opened_on
