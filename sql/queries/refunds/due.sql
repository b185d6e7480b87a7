-- Approved decisions through the night that call for money and that no refund stands or is under way for, ours or anybody's: what a refund of
-- the charge has answered, of whatever amount, is never paid again; one that gave back what was charged too much answers nothing. problem: why
-- one can't be planned, beyond what is asked of its charge and purchase as right before sending (reconcile.RefusalsOf): of the charge by the last
-- sync, so that what an execution has found at Stripe since stands until the next one.
WITH approved AS MATERIALIZED (
    SELECT d.*, tried.attempts, tried.found, tried.found_at
    FROM reconciler.refund_decisions d
    CROSS JOIN LATERAL (SELECT count(*) AS attempts,
                               coalesce(bool_or(i.state IN ('planned', 'sending', 'unknown', 'sent', 'settled')), false) AS live,
                               (array_agg(e.reason ORDER BY e.at DESC) FILTER (WHERE e.field = ANY (@charge_fields::text[])))[1] AS found,
                               max(e.at) FILTER (WHERE e.field = ANY (@charge_fields::text[])) AS found_at
                        FROM reconciler.refund_intents i
                        LEFT JOIN reconciler.refund_events e ON e.account_id = i.account_id AND e.intent_id = i.intent_id AND e.event_no = i.version
                         AND e.state IN ('stopped', 'rejected')
                        WHERE i.account_id = d.account_id AND i.request_id = d.request_id) tried
    WHERE d.decision = 'approve' AND d.refund_minor > 0 AND d.kind = 'unused_credits' AND d.business_date <= @date::date AND NOT tried.live
      AND NOT {{ decision_answered }}
), synced AS MATERIALIZED (
    SELECT coalesce(max(complete_through), '-infinity') AS through FROM reconciler.stripe_syncs WHERE status = 'complete'
), taken AS MATERIALIZED (
    SELECT d.request_id, e.taken
    FROM approved d
    CROSS JOIN LATERAL (SELECT e.account_id, -sum(e.credits) AS taken FROM {{ entries }} e
                        WHERE e.account_id = d.account_id AND e.purchase_id = d.purchase_id AND e.kind IN ('refund', 'refund_reversal')
                        GROUP BY e.account_id) e
)
SELECT d.account_id, d.request_id, d.purchase_id, d.charge_id, d.business_date AS decided_on, d.refund_minor AS amount_minor,
       coalesce(d.fee_minor, 0) AS fee_minor, d.currency, d.credits, d.clauses, d.policy_version, d.attempts + 1 AS attempt,
       CASE WHEN r.id IS NULL THEN 'the platform has no such request any more'
            WHEN r.status IN ('withdrawn', 'denied') THEN 'the request is ' || r.status || ' on the platform'
            WHEN d.charge_id = '' THEN 'no charge is known to refund'
            WHEN l.taken > 0 THEN 'the credits have been taken for a refund already, and Stripe has none: see refund_missing_at_stripe'
            WHEN busy.request_id IS NOT NULL THEN 'the charge is being refunded for request ' || busy.request_id
            -- What its customer or the platform has called off stands in no other's way.
            WHEN row_number() OVER (PARTITION BY d.account_id, d.charge_id, coalesce(r.status IN ('withdrawn', 'denied'), true)
                                    ORDER BY d.business_date, d.request_id COLLATE "C") > 1
                THEN 'another request of this plan is about the same charge'
            WHEN d.found_at >= s.through THEN d.found
            ELSE '' END AS problem
FROM approved d
CROSS JOIN synced s
LEFT JOIN source.refund_requests r ON r.id = d.request_id
LEFT JOIN taken l ON l.request_id = d.request_id
LEFT JOIN reconciler.refund_intents busy ON busy.account_id = d.account_id AND busy.charge_id = d.charge_id AND d.charge_id <> ''
 AND busy.request_id <> d.request_id AND busy.state IN ('planned', 'sending', 'unknown', 'sent', 'settled')
ORDER BY d.request_id COLLATE "C"
