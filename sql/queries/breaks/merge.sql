-- What a job has found tonight becomes the life of its breaks: new ones open, those that an earlier run of this night cleared open again, changed
-- values are noted, what isn't found any more clears; the findings are gone after. A break has one event at most, so that no branch depends on what
-- another one writes: all see what was there before. Where a finding is of a break that stands on another account (moved), nothing is done unless
-- accounts_kept says that breaks/keep_account has seen to it. What a person has resolved stays resolved while the values that say what is wrong stay
-- what they were; which those are, by_ours and the others tell of each kind.
WITH rule AS (
    SELECT r.* FROM {{ break_rules }} r
), moved AS MATERIALIZED (
    SELECT NOT @accounts_kept::boolean AND EXISTS (SELECT FROM {{ stands_elsewhere }}) AS any_moved
), judged AS MATERIALIZED (
    SELECT g.account_id, g.break_id, g.job, g.kind, g.subject_id, g.field, g.ours, g.theirs, g.variance, g.unit, g.detail, r.severity, r.subject_type, b.opened_on, l.events_tonight,
           CASE WHEN b.opened_on IS NOT NULL AND (b.closed_on IS NULL OR b.closed_on > @date::date)
                THEN CASE WHEN (l.ours, l.theirs, l.variance, l.unit, l.detail) IS DISTINCT FROM (g.ours, g.theirs, g.variance, g.unit, g.detail) THEN 'changed' END
                WHEN b.closed_on = @date::date AND b.closed_as = 'cleared' THEN 'reopened'
                WHEN coalesce({{ stays_resolved }}, false) THEN NULL
                WHEN r.kind IS NOT NULL THEN 'opened'
           END AS event
    FROM reconciler.findings g
    LEFT JOIN rule r ON r.kind = g.kind
    -- Only of a break that is there are events looked up: while a planner knows of none yet, that may mean to read all that are noted below.
    LEFT JOIN (LATERAL (SELECT b.opened_on, b.closed_on, b.closed_as FROM reconciler.breaks b
                        WHERE b.account_id = g.account_id AND b.break_id = g.break_id AND b.opened_on <= @date::date
                        ORDER BY b.opened_on DESC LIMIT 1) b
               CROSS JOIN LATERAL {{ last_event }} l) ON true
    WHERE g.business_date = @date::date AND g.job = @job::text AND NOT (SELECT any_moved FROM moved)
), gone AS ( -- open when the night began, or opened by an earlier run of this night
    UPDATE reconciler.breaks b
    SET closed_on = @date::date, closed_as = 'cleared'
    WHERE b.job = @job::text AND b.opened_on <= @date::date AND (b.closed_on IS NULL OR b.closed_on > @date::date)
      AND (b.account_id, b.break_id) NOT IN (SELECT g.account_id, g.break_id FROM judged g) -- a set that is made once, however few a planner thinks there are
      AND {{ newest_episode }}
      AND NOT (SELECT any_moved FROM moved)
    RETURNING b.account_id, b.break_id
), reopened AS (
    UPDATE reconciler.breaks b
    SET closed_on = NULL, closed_as = NULL
    FROM judged g
    WHERE g.event = 'reopened' AND b.account_id = g.account_id AND b.break_id = g.break_id AND b.opened_on = g.opened_on
), opened AS (
    INSERT INTO reconciler.breaks (account_id, break_id, opened_on, job, kind, severity, subject_type, subject_id, field)
    SELECT account_id, break_id, @date::date, job, kind, severity, subject_type, subject_id, field
    FROM judged WHERE event = 'opened'
), noted AS (
    INSERT INTO reconciler.break_events (account_id, break_id, business_date, event_no, event, ours, theirs, variance, unit, detail, actor, recorded_at)
    SELECT g.account_id, g.break_id, @date::date, coalesce(g.events_tonight, 0) + 1, g.event, g.ours, g.theirs, g.variance, g.unit, g.detail, 'reconciler', @as_of::timestamptz
    FROM (SELECT account_id, break_id, events_tonight, event, ours, theirs, variance, unit, detail FROM judged WHERE event IS NOT NULL
          UNION ALL
          SELECT g.account_id, g.break_id, l.events_tonight, 'cleared', l.ours, l.theirs, l.variance, l.unit, l.detail
          FROM gone g
          CROSS JOIN LATERAL {{ last_event }} l) g
    RETURNING event
), found AS (
    DELETE FROM reconciler.findings WHERE business_date = @date::date AND job = @job::text AND NOT (SELECT any_moved FROM moved)
    RETURNING 1
)
SELECT (SELECT any_moved FROM moved) AS moved, (SELECT count(*) FROM found) AS found,
       count(*) FILTER (WHERE event = 'opened') AS opened, count(*) FILTER (WHERE event = 'reopened') AS reopened,
       count(*) FILTER (WHERE event = 'changed') AS changed, count(*) FILTER (WHERE event = 'cleared') AS cleared
FROM noted
