SELECT r.requested_at AS at, 'platform.refund_requests ' || r.id AS source, '6' AS clause,
       'refund request ' || r.id || ' (' || coalesce(r.kind, '?') || ') arrived'
       || coalesce(' about purchase ' || nullif(r.purchase_id, ''), '') || coalesce(' about job ' || nullif(r.job_id, ''), '')
           || coalesce(' about invoice ' || nullif(r.invoice_id, ''), '')
       || coalesce('; stated date ' || r.stated_date, '') || coalesce('; stated amount ' || {{ amount_mark }} || r.stated_amount_minor || ' '
           || coalesce(r.stated_currency, '') || {{ amount_mark }}, '') AS says
FROM source.refund_requests r WHERE r.id = ANY (@ids::text[])
UNION ALL
SELECT r.decided_at, 'platform.refund_requests ' || r.id, '', 'the platform set it to ' || coalesce(r.status, '?')
FROM source.refund_requests r WHERE r.id = ANY (@ids::text[]) AND r.decided_at IS NOT NULL
UNION ALL
-- A decision that comes back unchanged every night is told once.
SELECT d.decided_at, 'refund_decisions.csv of ' || d.business_date, d.clauses,
       'refund request ' || d.request_id || ' decided: ' || d.decision || CASE WHEN d.refund_minor IS NOT NULL THEN ', ' || {{ amount_mark }} || d.refund_minor || ' ' || d.currency || {{ amount_mark }} ELSE '' END
       || '; due by ' || d.due_date || '; policy ' || d.policy_version || '; ' || d.reasons
FROM (SELECT d.*, lag(d.reasons) OVER (PARTITION BY d.request_id ORDER BY d.business_date) AS before
      FROM reconciler.refund_decisions d WHERE d.request_id = ANY (@ids::text[])) d
WHERE d.before IS DISTINCT FROM d.reasons
UNION ALL
SELECT n.created_at, 'notifications.csv of ' || n.business_date, '', 'the customer is told of ' || n.request_id || ' ' || regexp_replace(regexp_replace(n.message, E'^([^\n]+)\n+', '"\1": '), E'\n+', ' ', 'g')
FROM reconciler.notifications n WHERE n.request_id = ANY (@ids::text[])
