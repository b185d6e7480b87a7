-- The refunds that were planned for a request: their plan, its approval, and every step with what stood in the way.
SELECT p.made_at AS at, 'refund plan ' || p.plan_id AS source, m.clauses AS clause,
       'planned by ' || p.made_by || ': refund ' || m.intent_id || ' of ' || {{ amount_mark }} || m.amount_minor || ' ' || m.currency || {{ amount_mark }}
           || ' on charge ' || m.charge_id
       || '; fee withheld ' || {{ amount_mark }} || m.fee_minor || ' ' || m.currency || {{ amount_mark }} || '; ' || m.credits || ' credits leave the account'
       || CASE WHEN m.attempt > 1 THEN '; attempt ' || m.attempt ELSE '' END AS says
FROM reconciler.refund_plan_items m
JOIN reconciler.refund_plans p ON p.plan_id = m.plan_id
WHERE m.request_id = ANY (@ids::text[])
UNION ALL
SELECT a.approved_at, 'refund plan ' || a.plan_id, '', 'the plan is approved by ' || a.approved_by
FROM reconciler.refund_approvals a
WHERE EXISTS (SELECT FROM reconciler.refund_plan_items m WHERE m.plan_id = a.plan_id AND m.request_id = ANY (@ids::text[]))
UNION ALL
SELECT e.at, 'refund ' || e.intent_id || ', step ' || e.event_no, '',
       'refund ' || e.intent_id || ' goes from ' || e.state_before || ' to ' || e.state || ' (' || e.actor || ')'
       || CASE WHEN e.refund_id <> '' THEN '; at Stripe it is ' || e.refund_id ELSE '' END
       || CASE WHEN e.reason <> '' THEN '; ' || e.reason ELSE '' END
       || CASE WHEN e.field <> '' THEN '; ' || e.field || ' ours ' || coalesce(nullif(e.ours, ''), '-') || ', theirs ' || coalesce(nullif(e.theirs, ''), '-') ELSE '' END
FROM reconciler.refund_events e
JOIN reconciler.refund_intents i ON i.account_id = e.account_id AND i.intent_id = e.intent_id
WHERE i.request_id = ANY (@ids::text[]) AND e.event_no > 1
