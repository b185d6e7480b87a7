-- Cleared by an earlier run of this same night, and found by this one.
WITH g AS (
    UPDATE reconciler.breaks b
    SET closed_on = NULL, closed_as = NULL
    FROM reconciler.findings f
    WHERE f.business_date = @date::date AND f.job = @job::text
      AND b.account_id = f.account_id AND b.break_id = f.break_id
      AND b.closed_on = @date::date AND b.closed_as = 'cleared'
      AND {{ newest_episode }}
    RETURNING f.account_id, f.break_id, f.ours, f.theirs, f.variance, f.unit, f.detail
)
INSERT INTO reconciler.break_events (account_id, break_id, business_date, event_no, event, ours, theirs, variance, unit, detail, actor, recorded_at)
SELECT g.account_id, g.break_id, @date::date, {{ next_event_no }}, 'reopened', g.ours, g.theirs, g.variance, g.unit, g.detail, 'reconciler', @as_of::timestamptz
FROM g
