-- New ones. What a person has resolved stays resolved while the values that say what is wrong stay what they were; which those are, by_ours and
-- the others tell of each kind.
WITH rule AS (
    SELECT kind, severity, subject_type, by_ours, by_theirs, by_variance
    FROM unnest(@kinds::text[], @severities::text[], @subject_types::text[], @by_ours::boolean[], @by_theirs::boolean[], @by_variance::boolean[])
         AS r (kind, severity, subject_type, by_ours, by_theirs, by_variance)
), opened AS (
    INSERT INTO reconciler.breaks (account_id, break_id, opened_on, job, kind, severity, subject_type, subject_id, field)
    SELECT g.account_id, g.break_id, @date::date, g.job, g.kind, r.severity, r.subject_type, g.subject_id, g.field
    FROM reconciler.findings g
    JOIN rule r ON r.kind = g.kind
    LEFT JOIN LATERAL (SELECT b.opened_on, b.closed_on, b.closed_as FROM reconciler.breaks b
                       WHERE b.account_id = g.account_id AND b.break_id = g.break_id AND b.opened_on <= @date::date
                       ORDER BY b.opened_on DESC LIMIT 1) b ON true
    LEFT JOIN LATERAL {{ last_event }} l ON b.closed_as = 'resolved'
    WHERE g.business_date = @date::date AND g.job = @job::text
      AND (b.opened_on IS NULL OR b.closed_on <= @date::date)
      AND NOT coalesce(b.closed_as = 'resolved' AND (NOT r.by_ours OR l.ours = g.ours) AND (NOT r.by_theirs OR l.theirs = g.theirs)
                       AND (NOT r.by_variance OR l.variance = g.variance), false)
    RETURNING account_id, break_id
)
INSERT INTO reconciler.break_events (account_id, break_id, business_date, event_no, event, ours, theirs, variance, unit, detail, actor, recorded_at)
SELECT g.account_id, g.break_id, @date::date, {{ next_event_no }}, 'opened', g.ours, g.theirs, g.variance, g.unit, g.detail, 'reconciler', @as_of::timestamptz
FROM opened o
JOIN reconciler.findings g ON g.account_id = o.account_id AND g.break_id = o.break_id AND g.business_date = @date::date AND g.job = @job::text
