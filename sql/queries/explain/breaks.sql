SELECT e.recorded_at AS at, 'breaks.csv of ' || e.business_date AS source, '' AS clause,
       'break ' || e.break_id || ' (' || b.kind || ', ' || b.severity || ') ' || e.event
       || CASE WHEN e.event IN ('opened', 'changed', 'reopened') THEN ': ' || b.field || ' ours ' || v.ours || ', theirs ' || v.theirs
               || CASE WHEN e.variance <> 0 THEN ', variance ' || {{ amount_mark }} || e.variance || ' ' || e.unit || {{ amount_mark }} ELSE '' END
               || CASE WHEN e.detail <> '' THEN '; ' || e.detail ELSE '' END
               WHEN e.event = 'resolved' THEN ' by ' || e.actor || ': ' || e.reason ELSE '' END AS says
FROM reconciler.break_events e
JOIN (SELECT DISTINCT account_id, break_id, kind, severity, field, subject_id FROM reconciler.breaks) b ON b.account_id = e.account_id AND b.break_id = e.break_id
-- What differs may be a word or a date as well: only a number is in the unit.
CROSS JOIN LATERAL (SELECT CASE WHEN e.ours ~ '^-?[0-9]+$' THEN {{ amount_mark }} || e.ours || ' ' || e.unit || {{ amount_mark }} ELSE coalesce(nullif(e.ours, ''), '-') END AS ours,
                           CASE WHEN e.theirs ~ '^-?[0-9]+$' THEN {{ amount_mark }} || e.theirs || ' ' || e.unit || {{ amount_mark }}
                                 ELSE coalesce(nullif(e.theirs, ''), '-') END AS theirs) v
WHERE b.subject_id = ANY (@ids::text[])
