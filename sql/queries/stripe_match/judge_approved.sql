-- Whether the money of each approved refund has left, by whomever: at the latest some business days after the decision, or after a refund that
-- failed. What the platform has called off since is not due any more, and what lost disputes have taken, in the charge's currency, has left: only
-- the rest is due where a part was disputed, or came back. Credits that were taken without money going back are a break of their own
-- (refund_missing_at_stripe, refund_failed), and are awaited here.
INSERT INTO reconciler.stripe_checks (account_id, business_date, job, control, again, subject_id, outcome, kind, field, ours, theirs, variance,
    unit, detail, amount_minor, currency, since)
WITH overdue AS (
    SELECT version, through::date AS through FROM unnest(@versions::text[], @overdue_through::text[]) AS o (version, through)
), approved AS MATERIALIZED (
    SELECT DISTINCT d.account_id, d.purchase_id
    FROM reconciler.candidates s
    JOIN reconciler.refund_decisions d ON d.request_id = s.subject_id AND d.decision = 'approve' AND d.business_date <= @date::date
    WHERE s.business_date = @date::date AND s.job = @scope::text
), taken AS MATERIALIZED (
    SELECT q.account_id, q.purchase_id, e.taken FROM approved q CROSS JOIN LATERAL {{ taken_back }} e
), facts AS (
    SELECT s.in_scan, d.account_id, d.request_id, d.purchase_id, d.charge_id, d.business_date, r.failed_on, d.refund_minor, d.currency,
           -- A version that the policy file has no more is judged by the strictest that it has.
           greatest(d.business_date, r.failed_on) <= coalesce(o.through, (SELECT min(through) FROM overdue)) AS is_overdue,
           coalesce(r.is_paid, false) AS is_paid, coalesce(l.taken, 0) AS taken, coalesce(c.open, false) AS disputed, c.disputes, coalesce(c.gone_minor, 0) AS gone_minor,
           coalesce(q.status IN ('withdrawn', 'denied') AND coalesce(q.decided_at, q.requested_at) < @as_of::timestamptz, false) AS called_off,
           coalesce(i.state, 'never planned') AS planned
    FROM reconciler.candidates s
    JOIN reconciler.refund_decisions d ON d.request_id = s.subject_id AND d.decision = 'approve' AND d.business_date <= @date::date
    LEFT JOIN overdue o ON o.version = d.policy_version
    LEFT JOIN {{ valid_requests }} q ON q.id = d.request_id
    LEFT JOIN LATERAL (SELECT bool_or(r.is_live AND NOT EXISTS (
                                  SELECT FROM {{ charges_as_of }} c JOIN {{ valid_purchases }} p ON p.id = d.purchase_id AND p.account_id = d.account_id
                                  LEFT JOIN LATERAL {{ purchase_invoice }} i ON true CROSS JOIN LATERAL {{ charge_refunds }} f
                                  WHERE c.id = r.charge_id AND f.id = r.id AND f.is_surplus)) AS is_paid,
                              max((r.status_since AT TIME ZONE @zone::text)::date) FILTER (WHERE NOT r.is_live) AS failed_on
                       FROM {{ refunds_as_of }} r WHERE r.charge_id = d.charge_id AND d.charge_id <> '') r ON true
    LEFT JOIN taken l ON l.account_id = d.account_id AND l.purchase_id = d.purchase_id
    CROSS JOIN LATERAL (SELECT d.charge_id) k
    LEFT JOIN LATERAL {{ disputes_of_charge }} c ON true
    LEFT JOIN LATERAL (SELECT e.state || ' in plan ' || m.plan_id
                              || CASE WHEN e.state IN ('stopped', 'rejected', 'failed', 'cancelled') AND e.reason <> '' THEN ': ' || e.reason ELSE '' END AS state
                       FROM reconciler.refund_plan_items m
                       JOIN reconciler.refund_events e ON e.account_id = m.account_id AND e.intent_id = m.intent_id AND e.business_date <= @date::date
                       WHERE m.account_id = d.account_id AND m.request_id = d.request_id
                       ORDER BY m.attempt DESC, e.event_no DESC LIMIT 1) i ON true
    WHERE s.business_date = @date::date AND s.job = @scope::text
), judged AS (
    SELECT f.*, CASE
        WHEN is_paid OR called_off OR gone_minor >= refund_minor THEN 'matched'
        WHEN taken > 0 OR disputed OR NOT is_overdue THEN 'awaiting'
        ELSE 'refund_unpaid' END AS verdict
    FROM facts f
)
SELECT account_id, @date::date, @job::text, @scope::text, NOT in_scan, request_id,
       CASE WHEN verdict IN ('matched', 'awaiting') THEN verdict ELSE 'break' END,
       CASE WHEN verdict = 'refund_unpaid' THEN verdict ELSE '' END,
       CASE WHEN verdict = 'refund_unpaid' THEN 'refund' ELSE '' END,
       CASE WHEN verdict = 'refund_unpaid' THEN refund_minor::text ELSE '' END,
       CASE WHEN verdict = 'refund_unpaid' THEN gone_minor::text ELSE '' END,
       CASE WHEN verdict = 'refund_unpaid' THEN refund_minor - gone_minor ELSE 0 END,
       CASE WHEN verdict = 'refund_unpaid' THEN currency ELSE '' END,
       CASE WHEN verdict = 'refund_unpaid' THEN concat_ws(', ', 'approved on ' || business_date, 'purchase ' || purchase_id,
                                                          'charge ' || nullif(charge_id, ''), disputes, planned) ELSE '' END,
       refund_minor, currency, (greatest(business_date, failed_on) + 1)::timestamp AT TIME ZONE @zone::text
FROM judged
