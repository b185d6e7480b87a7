-- Credits taken for a refund against the money that went back. A refund that failed is a break of its own. A dispute that is open may take the
-- money as well, and one that was lost has, where the customer's bank has kept what was due. Where there is no payment, or one that failed after
-- all, there is none to go back.
INSERT INTO reconciler.stripe_checks (account_id, business_date, job, control, again, subject_id, outcome, kind, field, ours, theirs, variance,
    unit, detail, since)
WITH taken AS MATERIALIZED (
    SELECT s.subject_id, min(e.account_id) AS account_id, sum(e.taken) AS taken, max(e.last_at) AS last_at
    FROM reconciler.candidates s
    CROSS JOIN LATERAL (SELECT e.account_id, -sum(e.credits) AS taken, max(e.effective_at) FILTER (WHERE e.kind = 'refund') AS last_at
                        FROM {{ entries }} e
                        WHERE e.purchase_id = s.subject_id AND e.kind IN ('refund', 'refund_reversal') AND e.effective_at < @as_of::timestamptz
                        GROUP BY e.account_id) e
    WHERE s.business_date = @date::date AND s.job = @scope::text
    GROUP BY 1
), facts AS (
    SELECT s.in_scan, s.subject_id AS id, coalesce(l.account_id, p.account_id, '') AS account_id, coalesce(l.taken, 0) AS taken,
        greatest(l.last_at, d.ended_at) AS last_at, c.id AS charge_id, c.id IS NULL OR c.status = 'failed' AS is_unpaid,
           coalesce(r.refunds, 0) AS refunds, coalesce(b.open, false) OR coalesce(b.gone_minor >= x.due_minor, b.gone_minor > 0, false) AS at_stake
    FROM reconciler.candidates s
    LEFT JOIN {{ valid_purchases }} p ON p.id = s.subject_id
    LEFT JOIN LATERAL {{ main_charge }} c ON true
    LEFT JOIN LATERAL {{ purchase_invoice }} i ON true
    LEFT JOIN taken l ON l.subject_id = s.subject_id
    LEFT JOIN reconciler.policy_versions v ON v.policy = @policy::text AND p.completed_at >= v.effective_from AND p.completed_at < v.effective_to
    LEFT JOIN LATERAL {{ payment }} m ON true
    LEFT JOIN LATERAL (SELECT coalesce(sum(f.amount_minor) FILTER (WHERE f.is_surplus), 0)::bigint AS surplus_minor FROM {{ charge_refunds }} f) o ON true
    LEFT JOIN LATERAL (SELECT {{ refundable }} AS due_minor FROM (SELECT o.surplus_minor) r) x ON true
    LEFT JOIN LATERAL (SELECT count(*) AS refunds FROM {{ refunds_as_of }} r
                       WHERE r.charge_id = c.id AND NOT EXISTS (SELECT FROM {{ charge_refunds }} f WHERE f.id = r.id AND f.is_surplus)) r ON true
    CROSS JOIN LATERAL (SELECT c.id AS charge_id) k
    LEFT JOIN LATERAL {{ disputes_of_charge }} b ON true
    LEFT JOIN LATERAL (SELECT max(coalesce(m.returned_at, d.status_since)) FILTER (WHERE d.status IN ('won', 'lost')) AS ended_at
                       FROM {{ disputes_as_of }} d
                       CROSS JOIN LATERAL (SELECT max(m.created_at) FILTER (WHERE m.returned_minor <> 0) AS returned_at FROM {{ dispute_moves }} m
                           WHERE m.created_at < @as_of::timestamptz) m
                       WHERE d.charge_id = c.id) d ON true
    WHERE s.business_date = @date::date AND s.job = @scope::text
), judged AS (
    SELECT f.*, CASE WHEN taken <= 0 OR refunds > 0 OR at_stake OR is_unpaid THEN 'matched'
                     WHEN last_at > @grace_before::timestamptz THEN 'awaiting'
                     ELSE 'refund_missing_at_stripe' END AS verdict
    FROM facts f
)
SELECT account_id, @date::date, @job::text, @scope::text, NOT in_scan, id,
       CASE WHEN verdict IN ('matched', 'awaiting') THEN verdict ELSE 'break' END,
       CASE WHEN verdict IN ('matched', 'awaiting') THEN '' ELSE verdict END,
       CASE WHEN verdict = 'refund_missing_at_stripe' THEN 'refund' ELSE '' END,
       CASE WHEN verdict = 'refund_missing_at_stripe' THEN taken::text ELSE '' END,
       CASE WHEN verdict = 'refund_missing_at_stripe' THEN '0' ELSE '' END,
       CASE WHEN verdict = 'refund_missing_at_stripe' THEN taken ELSE 0 END,
       CASE WHEN verdict = 'refund_missing_at_stripe' THEN 'credits' ELSE '' END,
       CASE WHEN verdict = 'refund_missing_at_stripe' AND charge_id IS NOT NULL THEN 'charge ' || charge_id ELSE '' END, last_at
FROM judged
