-- A refund plan as a whole: who made it, who approved it, what became of its refunds, and what stopped it.
SELECT p.made_at AS at, 'refund plan ' || p.plan_id AS source, '' AS clause,
       'made by ' || p.made_by || ' from decisions through ' || p.business_date || ': ' || p.refunds || ' refunds; content ' || left(p.plan_sha256, 12) AS says
FROM reconciler.refund_plans p
WHERE p.plan_id = ANY (@ids::text[])
UNION ALL
SELECT a.approved_at, 'refund plan ' || a.plan_id, '', 'approved by ' || a.approved_by
FROM reconciler.refund_approvals a
WHERE a.plan_id = ANY (@ids::text[])
UNION ALL
SELECT t.at, 'refund plan ' || t.plan_id, '', 'stopped by ' || t.breaker || ': ' || t.measured || ', allowed ' || t.allowed || CASE WHEN t.detail <> '' THEN '; ' || t.detail ELSE '' END
FROM reconciler.refund_trips t
WHERE t.plan_id = ANY (@ids::text[])
UNION ALL
SELECT e.at, 'refund ' || i.intent_id, m.clauses,
    'request ' || i.request_id || ': refund ' || i.intent_id || ' of ' || {{ amount_mark }} || m.amount_minor || ' ' || m.currency || {{ amount_mark }} || ' on charge ' || i.charge_id
       || ' is ' || i.state || CASE WHEN e.reason <> '' THEN '; ' || e.reason ELSE '' END
FROM reconciler.refund_intents i
JOIN reconciler.refund_plan_items m ON m.account_id = i.account_id AND m.plan_id = i.plan_id AND m.intent_id = i.intent_id
JOIN reconciler.refund_events e ON e.account_id = i.account_id AND e.intent_id = i.intent_id AND e.event_no = i.version
WHERE i.plan_id = ANY (@ids::text[])
