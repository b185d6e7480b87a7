-- The breaks of ids, each of the type that it is an id of ('': of any), of what was refunded and disputed of charges, of refunds that we planned, and of
-- entries about purchases and jobs that came late.
WITH subject AS (
    SELECT x.type, x.id FROM unnest(@types::text[], @ids::text[]) AS x (type, id)
    UNION SELECT 'refund', r.id FROM reconciler.stripe_refunds r WHERE r.charge_id = ANY (@charges::text[])
    UNION SELECT 'dispute', d.id FROM reconciler.stripe_disputes d WHERE d.charge_id = ANY (@charges::text[])
    UNION SELECT 'refund', m.intent_id FROM reconciler.refund_plan_items m WHERE m.request_id = ANY (@requests::text[])
    UNION SELECT 'credit_entry', e.id FROM unnest(@types::text[], @ids::text[]) AS x (type, id) JOIN source.credit_entries e ON e.purchase_id = x.id WHERE x.type IN ('', 'purchase')
    UNION SELECT 'credit_entry', e.id FROM unnest(@types::text[], @ids::text[]) AS x (type, id) JOIN source.credit_entries e ON e.job_id = x.id WHERE x.type IN ('', 'job')
)
SELECT e.recorded_at AS at, 'breaks.csv of ' || e.business_date AS source, '' AS clause,
       'break ' || e.break_id || ' (' || b.kind || ', ' || b.severity || ') ' || e.event
       || CASE WHEN e.event IN ('opened', 'changed', 'reopened') THEN ': ' || b.field || ' ours ' || v.ours || ', theirs ' || v.theirs
               || CASE WHEN e.variance <> 0 THEN ', variance ' || {{ amount_mark }} || e.variance || ' ' || e.unit || {{ amount_mark }} ELSE '' END
               WHEN e.event = 'resolved' THEN ' by ' || e.actor || ': ' || e.reason ELSE '' END AS says,
       CASE WHEN e.event IN ('opened', 'changed', 'reopened') THEN e.detail ELSE '' END AS detail, e.unit
FROM (SELECT DISTINCT b.account_id, b.break_id, b.kind, b.severity, b.field
      FROM subject s JOIN reconciler.breaks b ON b.subject_id = s.id AND s.type IN ('', b.subject_type)) b
JOIN LATERAL (SELECT e.*, s.like_it, lead(s.like_it) OVER (PARTITION BY e.account_id, e.break_id ORDER BY e.business_date, e.event_no) AS next
              FROM reconciler.break_events e CROSS JOIN LATERAL (SELECT concat_ws('; ', e.event, e.theirs, e.detail) AS like_it) s
              WHERE e.account_id = b.account_id AND e.break_id = b.break_id) e
     -- What only grows older, night after night, is told as it was last.
     ON e.event <> 'changed' OR e.like_it IS DISTINCT FROM e.next
-- What differs may be a word or a date as well: only a number is in the unit.
CROSS JOIN LATERAL (SELECT CASE WHEN e.ours ~ '^-?[0-9]+$' THEN {{ amount_mark }} || e.ours || ' ' || e.unit || {{ amount_mark }} ELSE coalesce(nullif(e.ours, ''), '-') END AS ours,
                           CASE WHEN e.theirs ~ '^-?[0-9]+$' THEN {{ amount_mark }} || e.theirs || ' ' || e.unit || {{ amount_mark }}
                                 ELSE coalesce(nullif(e.theirs, ''), '-') END AS theirs) v
