-- What became of refunds that were sent, as of the night: refusals and failures at Stripe, outcomes that nobody has looked up; and breakers that
-- tripped. Gone when a later plan tries again, unless that is cancelled, when another refund of the charge stands or the customer's bank has kept as much, when the request is
-- withdrawn or denied, and, for breakers, when the plan has nothing left to send. An open outcome whose charge has no refund is
-- refund_missing_at_stripe already.
-- A refund that was never sent, or that Stripe refused for what was done in the last moment, is no break of its own: nothing was refunded, what
-- stopped it is a break where it is one, and the request that stays unpaid is refund_unpaid.
INSERT INTO reconciler.findings (account_id, business_date, job, kind, subject_id, field, ours, theirs, variance, unit, detail)
WITH standing AS (
    SELECT DISTINCT ON (e.account_id, e.intent_id) e.account_id, e.intent_id, e.state, e.field, e.ours, e.theirs, e.reason, e.refund_id, e.at
    FROM reconciler.refund_events e
    WHERE e.business_date <= @date::date
    ORDER BY e.account_id, e.intent_id, e.event_no DESC
), item AS (
    SELECT s.*, m.plan_id, m.request_id, m.charge_id, m.attempt, m.amount_minor, m.currency
    FROM standing s
    JOIN reconciler.refund_plan_items m ON m.account_id = s.account_id AND m.intent_id = s.intent_id
), ended AS (
    SELECT i.*, i.amount_minor - coalesce(b.gone_minor, 0) AS owed_minor
    FROM item i
    CROSS JOIN LATERAL (SELECT i.charge_id) k
    LEFT JOIN LATERAL {{ disputes_of_charge }} b ON true
    LEFT JOIN source.refund_requests r ON r.id = i.request_id
    WHERE (i.state = 'failed' OR i.state = 'rejected' AND i.field IN ('stripe', 'idempotency_key')) -- any other field: overtaken by what was done since the decision
      AND NOT EXISTS (SELECT FROM {{ refunds_as_of }} f WHERE f.charge_id = i.charge_id AND f.is_live)
      AND coalesce(b.gone_minor, 0) < i.amount_minor
      AND NOT EXISTS (SELECT FROM item later WHERE later.account_id = i.account_id AND later.request_id = i.request_id AND later.attempt > i.attempt AND later.state <> 'cancelled')
      AND NOT coalesce(r.status IN ('withdrawn', 'denied') AND coalesce(r.decided_at, r.requested_at) < @as_of::timestamptz, false)
)
SELECT account_id, @date::date, @job::text, 'refund_failed', CASE WHEN state = 'failed' THEN refund_id ELSE intent_id END,
       CASE WHEN state = 'failed' THEN 'reopened' ELSE 'rejected' END, 'succeeded', state, owed_minor, currency,
       'request ' || request_id || ', charge ' || charge_id || ', plan ' || plan_id || ': ' || reason
FROM ended
UNION ALL
SELECT i.account_id, @date::date, @job::text, 'refund_failed', i.intent_id, 'outcome', 'sent', i.state, i.amount_minor, i.currency,
       'request ' || i.request_id || ', charge ' || i.charge_id || ', plan ' || i.plan_id || ': Stripe has refunds of the charge (' || r.refunds
           || '), and nobody has looked whether this one is among them; execute the plan again to look'
FROM item i
CROSS JOIN LATERAL (SELECT string_agg(r.id, ', ' ORDER BY r.created_at, r.id COLLATE "C") AS refunds
                    FROM {{ refunds_as_of }} r WHERE r.charge_id = i.charge_id AND r.is_live) r
WHERE i.state IN ('sending', 'unknown') AND i.at <= @grace_before::timestamptz AND r.refunds IS NOT NULL
UNION ALL
SELECT '', @date::date, @job::text, 'refund_against_policy', t.plan_id, t.breaker, t.allowed, t.measured, 0, '', t.detail
FROM (SELECT DISTINCT ON (t.plan_id, t.breaker) t.* FROM reconciler.refund_trips t
      WHERE t.business_date <= @date::date ORDER BY t.plan_id, t.breaker, t.trip_no DESC) t
WHERE EXISTS (SELECT FROM item i WHERE i.plan_id = t.plan_id AND i.state IN ('planned', 'sending', 'unknown'))
