-- A state began when its balance transaction says so, where there is one, and not when we happened to see it. An object that was over before it was
-- first seen gets the state that it had until then.
WITH seen AS MATERIALIZED ( -- few: a plan that is kept from when there was next to nothing would begin with all there is instead
    SELECT s.object_id, s.effective_at, s.status, s.seen_at FROM reconciler.stripe_states s WHERE s.seen_at >= to_timestamp(@since::bigint)
), told AS (
    SELECT s.object_id, s.effective_at, s.status, f.created_at AS told_at,
           CASE WHEN r.status = 'canceled' THEN 'pending' ELSE 'succeeded' END AS status_before, r.created_at
    FROM seen s
    JOIN reconciler.stripe_refunds r ON r.id = s.object_id AND r.status = s.status
    JOIN reconciler.stripe_balance_transactions f ON f.id = r.failure_balance_transaction_id
    UNION ALL
    -- A refund that waited for a balance was pending until it had one.
    SELECT s.object_id, s.effective_at, s.status, t.created_at, 'pending', r.created_at
    FROM seen s
    JOIN reconciler.stripe_refunds r ON r.id = s.object_id AND r.status = s.status AND r.status = 'succeeded'
    JOIN reconciler.stripe_balance_transactions t ON t.id = r.balance_transaction_id AND t.created_at > r.created_at
    UNION ALL
    SELECT s.object_id, s.effective_at, s.status, f.created_at, 'pending', c.created_at
    FROM seen s
    JOIN reconciler.stripe_charges c ON c.id = s.object_id AND c.status = s.status AND c.status = 'failed'
    JOIN reconciler.stripe_balance_transactions f ON f.id = c.failure_balance_transaction_id
    UNION ALL
    SELECT s.object_id, s.effective_at, s.status, t.created_at, 'pending', c.created_at
    FROM seen s
    JOIN reconciler.stripe_charges c ON c.id = s.object_id AND c.status = s.status AND c.status = 'succeeded' AND c.method <> 'card'
    JOIN reconciler.stripe_balance_transactions t ON t.id = c.balance_transaction_id
    UNION ALL
    -- What was authorised first is captured when its money is posted, the first part of it and the last; what is captured at once is posted within
    -- the hour, and was never otherwise.
    SELECT s.object_id, s.effective_at, s.status, CASE WHEN s.status = 'succeeded' THEN max(t.created_at) ELSE min(t.created_at) END, 'uncaptured', c.created_at
    FROM seen s
    JOIN reconciler.stripe_charges c ON c.id = s.object_id AND c.method = 'card'
    JOIN reconciler.stripe_balance_transactions t ON t.source_id = c.id AND t.reporting_category = 'charge'
    WHERE s.status IN ('succeeded', 'partly_captured')
    GROUP BY s.object_id, s.effective_at, s.status, c.created_at
    HAVING min(t.created_at) > c.created_at + interval '1 hour' OR max(t.created_at) > min(t.created_at) OR s.effective_at > c.created_at
    UNION ALL
    -- Won when all of it was back, or as much as came: converted money comes back at another rate.
    SELECT s.object_id, s.effective_at, s.status, coalesce(min(t.created_at) FILTER (WHERE t.outstanding <= 0), max(t.created_at)), 'needs_response', d.created_at
    FROM seen s
    JOIN reconciler.stripe_disputes d ON d.id = s.object_id AND d.status = s.status AND d.status = 'won'
    JOIN LATERAL (SELECT t.created_at, t.reporting_category, -sum(t.amount_minor) OVER (ORDER BY t.created_at, t.id) AS outstanding
                  FROM reconciler.stripe_balance_transactions t
                  WHERE t.source_id = d.id AND t.reporting_category IN ('dispute', 'dispute_reversal')) t ON t.reporting_category = 'dispute_reversal'
    GROUP BY s.object_id, s.effective_at, s.status, d.created_at
    UNION ALL
    -- Nothing moves when a dispute is lost; it can't be before the evidence was due, unless we saw it.
    SELECT s.object_id, s.effective_at, s.status, least(d.evidence_due_by, s.seen_at), 'needs_response', d.created_at
    FROM seen s
    JOIN reconciler.stripe_disputes d ON d.id = s.object_id AND d.status = s.status AND d.status = 'lost'
    WHERE s.effective_at = d.created_at
    UNION ALL
    -- What had been won is lost when the money is taken again; that it was seen last when it was won says nothing of the time since.
    SELECT s.object_id, s.effective_at, s.status, max(t.created_at), 'won', d.created_at
    FROM seen s
    JOIN reconciler.stripe_disputes d ON d.id = s.object_id AND d.status = s.status AND d.status = 'lost'
    JOIN reconciler.stripe_states w ON w.object_id = d.id AND w.status = 'won' AND w.effective_at <= s.effective_at
    JOIN reconciler.stripe_balance_transactions t ON t.source_id = d.id AND t.reporting_category = 'dispute'
    GROUP BY s.object_id, s.effective_at, s.status, d.created_at
    UNION ALL
    -- An inquiry that became a chargeback did so when the money went.
    SELECT s.object_id, s.effective_at, s.status, min(t.created_at), 'warning_needs_response', d.created_at
    FROM seen s
    JOIN reconciler.stripe_disputes d ON d.id = s.object_id AND d.status = s.status AND d.status IN ('needs_response', 'under_review')
    JOIN reconciler.stripe_balance_transactions t ON t.source_id = d.id AND t.reporting_category = 'dispute'
    GROUP BY s.object_id, s.effective_at, s.status, d.created_at
    UNION ALL
    SELECT s.object_id, s.effective_at, s.status, coalesce(f.created_at, p.arrival_at), 'in_transit', p.created_at
    FROM seen s
    JOIN reconciler.stripe_payouts p ON p.id = s.object_id AND p.status = s.status AND p.status IN ('paid', 'failed', 'canceled')
    LEFT JOIN reconciler.stripe_balance_transactions f ON f.id = p.failure_balance_transaction_id
), dated AS (
    SELECT * FROM told
    WHERE told_at > effective_at
      AND told_at <= (SELECT max(seen_at) FROM reconciler.stripe_states s WHERE s.object_id = told.object_id AND s.status = told.status)
), before AS (
    INSERT INTO reconciler.stripe_states (object_id, effective_at, status, seen_at, evidence_due_by)
    SELECT e.object_id, e.created_at, e.status_before, to_timestamp(@since::bigint), d.evidence_due_by
    FROM dated e LEFT JOIN reconciler.stripe_disputes d ON d.id = e.object_id
    WHERE e.effective_at = e.created_at
    UNION ALL
    -- A bank debit that was posted after it was made had succeeded then, whatever became of it.
    SELECT d.object_id, t.created_at, 'succeeded', to_timestamp(@since::bigint), NULL
    FROM dated d
    JOIN reconciler.stripe_charges c ON c.id = d.object_id AND d.status = 'failed'
    JOIN reconciler.stripe_balance_transactions t ON t.id = c.balance_transaction_id AND t.created_at > c.created_at AND t.created_at < d.told_at
    WHERE d.effective_at = d.created_at
    UNION ALL
    -- Captures before the last one, that nobody saw between them.
    SELECT d.object_id, min(t.created_at), 'partly_captured', to_timestamp(@since::bigint), NULL
    FROM dated d
    JOIN reconciler.stripe_balance_transactions t ON t.source_id = d.object_id AND t.reporting_category = 'charge' AND t.created_at > d.effective_at AND t.created_at < d.told_at
    WHERE d.status = 'succeeded' AND d.status_before = 'uncaptured'
    GROUP BY d.object_id
    ON CONFLICT DO NOTHING
), began AS (
    UPDATE reconciler.stripe_states s SET effective_at = d.told_at
    FROM dated d
    WHERE s.object_id = d.object_id AND s.effective_at = d.effective_at AND s.status = d.status
)
SELECT 1 AS dated
