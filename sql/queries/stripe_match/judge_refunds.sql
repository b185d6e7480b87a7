-- Each refund by four questions, asked separately so that each fault is one break: did it stand, were the credits taken, does the policy allow it,
-- is it the amount paid less the fees. Credits and amounts are asked of a charge once, however many refunds it has; policy and amount only while no
-- dispute of it is open, which weighs more. What the customer's bank has kept in the end counts as paid back.
INSERT INTO reconciler.stripe_checks (account_id, business_date, job, control, again, subject_id, outcome, kind, field, ours, theirs, variance,
    unit, detail, amount_minor, currency, since)
WITH known AS MATERIALIZED (
    SELECT s.in_scan, r.*, p.id AS purchase_id, coalesce(p.account_id, '') AS account_id, p.kind AS purchase_kind, p.credits,
           coalesce(first.id = c.id AND p.status = 'completed' AND p.completed_at < @as_of::timestamptz, false) AS is_main,
           p.completed_at, m.captured_minor, coalesce(o.is_surplus, false) AS is_surplus,
           CASE WHEN {{ payment_accepted }} OR c.currency = p.currency AND x.is_covered THEN x.refundable_minor END AS refundable_minor,
           o.live_minor, o.live_minor + o.surplus_minor AS all_live_minor, o.first_live, o.last_live,
           (SELECT f.id FROM {{ refunds_as_of }} f WHERE f.charge_id = r.charge_id AND NOT f.is_live ORDER BY f.created_at DESC, f.id DESC LIMIT 1) AS last_failed,
           coalesce(b.open, false) AS is_disputed, coalesce(b.gone_minor, 0) AS gone_minor,
           r.created_at > p.completed_at + make_interval(secs => v.refund_window_seconds)
               -- A request that had been withdrawn by then asks for nothing.
               AND NOT EXISTS (SELECT FROM {{ valid_requests }} q
                               WHERE q.purchase_id = p.id AND q.kind = 'unused_credits'
                                 AND (q.status = 'withdrawn' AND coalesce(q.decided_at, q.requested_at) <= r.created_at) IS NOT TRUE
                                 AND q.requested_at <= p.completed_at + make_interval(secs => v.refund_window_seconds))
               -- or one that named it in other words
               AND NOT EXISTS (SELECT FROM reconciler.refund_decisions q
                               WHERE q.account_id = p.account_id AND q.purchase_id = p.id AND q.business_date <= @date::date
                                 AND NOT EXISTS (SELECT FROM {{ valid_requests }} w WHERE w.id = q.request_id AND w.status = 'withdrawn'
                                                   AND coalesce(w.decided_at, w.requested_at) <= r.created_at)
                                 AND q.requested_at <= p.completed_at + make_interval(secs => v.refund_window_seconds)) AS is_late
    FROM reconciler.candidates s
    JOIN {{ refunds_as_of }} r ON r.id = s.subject_id
    LEFT JOIN {{ charges_as_of }} c ON c.id = r.charge_id
    LEFT JOIN LATERAL {{ purchase_of_charge }} p ON true
    LEFT JOIN LATERAL {{ main_charge }} first ON true
    LEFT JOIN reconciler.policy_versions v ON v.policy = @policy::text AND p.completed_at >= v.effective_from AND p.completed_at < v.effective_to
    LEFT JOIN LATERAL {{ purchase_invoice }} i ON true
    LEFT JOIN LATERAL {{ payment }} m ON true
    LEFT JOIN LATERAL (SELECT coalesce(sum(o.amount_minor) FILTER (WHERE NOT o.is_surplus), 0)::bigint AS live_minor,
                              coalesce(sum(o.amount_minor) FILTER (WHERE o.is_surplus), 0)::bigint AS surplus_minor, bool_or(o.is_surplus AND o.id = r.id) AS is_surplus,
                              (array_agg(o.id ORDER BY o.created_at, o.id) FILTER (WHERE NOT o.is_surplus))[1] AS first_live,
                              (array_agg(o.id ORDER BY o.created_at DESC, o.id DESC) FILTER (WHERE NOT o.is_surplus))[1] AS last_live
                       FROM {{ charge_refunds }} o) o ON true
    LEFT JOIN LATERAL (SELECT {{ payment_covers }} AS is_covered, {{ refundable }} AS refundable_minor FROM (SELECT o.surplus_minor) r) x ON true
    CROSS JOIN LATERAL (SELECT r.charge_id) k
    LEFT JOIN LATERAL {{ disputes_of_charge }} b ON true
    WHERE s.business_date = @date::date AND s.job = @scope::text
), taken AS MATERIALIZED (
    SELECT q.id, e.taken, e.reversals, e.taken_at FROM known q CROSS JOIN LATERAL {{ taken_back }} e
), moment AS MATERIALIZED (
    -- When the refund began to be made, as reconcile.AnswerTo says: by its money, or by the credits where those went first.
    SELECT k.id, k.account_id, k.purchase_id, k.credits,
           CASE WHEN coalesce(l.reversals, 0) = 0 THEN least(k.created_at, l.taken_at) ELSE k.created_at END AS at
    FROM known k
    LEFT JOIN taken l ON l.id = k.id
), used AS MATERIALIZED (
    SELECT q.id, u.used FROM moment q CROSS JOIN LATERAL {{ used_at }} u
), facts AS (
    SELECT k.*, coalesce(l.taken, 0) AS taken, coalesce(l.reversals, 0) AS reversals, coalesce(u.used, 0) AS used,
           a.approved_minor, k.id = ANY (@denied::text[]) AS denied
    FROM known k
    LEFT JOIN taken l ON l.id = k.id
    LEFT JOIN used u ON u.id = k.id
    -- What the customer had withdrawn by then is not approved any more.
    LEFT JOIN LATERAL (SELECT max(a.refund_minor) AS approved_minor FROM reconciler.refund_decisions a
                       WHERE a.account_id = k.account_id AND a.purchase_id = k.purchase_id AND a.business_date <= @date::date AND a.decision = 'approve'
                         AND NOT EXISTS (SELECT FROM {{ valid_requests }} w WHERE w.id = a.request_id AND w.status = 'withdrawn'
                                           AND coalesce(w.decided_at, w.requested_at) <= k.created_at)) a ON true
), expected AS (
    SELECT f.*, is_main AND purchase_kind = 'credits' AND NOT is_disputed AND NOT is_surplus AS is_asked,
           coalesce(approved_minor, refundable_minor) AS due_minor,
           -- What is approved was asked for in time, and by a request that is not denied. It is not to be paid any more once credits have been used.
           is_late AND approved_minor IS NULL AS too_late, denied AND approved_minor IS NULL AS is_denied
    FROM facts f
), policy AS (
    SELECT e.*, is_live AND is_asked AND (too_late OR used > 0 OR is_denied) AS against_policy,
           greatest(live_minor, least(due_minor, live_minor + gone_minor)) AS back_minor
    FROM expected e
), owed AS (
    -- What is still owed when a refund has failed: of what was due, the part that has gone back in no way, whatever the failed refund was of.
    SELECT p.*, CASE WHEN is_main AND purchase_kind = 'credits' AND due_minor > 0 THEN greatest(0, due_minor - back_minor) ELSE amount_minor END AS owed_minor
    FROM policy p
), question AS (
    SELECT p.*, 'refunds_stood' AS control,
           CASE WHEN is_live AND status = 'succeeded' THEN 'matched'
                WHEN is_live AND status IN ('pending', 'requires_action') THEN CASE WHEN created_at >= @stuck_before::timestamptz THEN 'awaiting' ELSE 'refund_stuck' END
                WHEN is_live THEN 'refund_failed'
                WHEN id <> last_failed OR owed_minor = 0 THEN 'matched' -- it was tried again, or the customer's bank has paid
                -- Beside refunds that stand it is a matter of their amount, which is asked below: one fault is one break.
                WHEN is_asked AND live_minor > 0 AND due_minor IS NOT NULL THEN 'matched'
                WHEN all_live_minor >= amount_minor OR (reversals > 0 AND taken <= 0) THEN 'matched'
                ELSE 'refund_failed' END AS verdict
    FROM owed p
    UNION ALL
    SELECT p.*, 'refunds_credits',
           CASE WHEN NOT is_live OR NOT is_main OR is_surplus OR purchase_kind <> 'credits' OR id <> first_live OR taken >= credits THEN 'matched'
                WHEN created_at > @grace_before::timestamptz THEN 'awaiting'
                ELSE 'refund_missing_in_ledger' END
    FROM owed p
    UNION ALL
    SELECT p.*, 'refunds_policy', CASE WHEN against_policy THEN 'refund_against_policy' ELSE 'matched' END
    FROM owed p
    UNION ALL
    SELECT p.*, 'refunds_amount',
           CASE WHEN NOT is_live OR NOT is_asked OR against_policy OR id <> last_live OR back_minor = due_minor THEN 'matched'
                WHEN due_minor IS NULL THEN 'awaiting'
                ELSE 'refund_amount_mismatch' END
    FROM owed p
)
SELECT account_id, @date::date, @job::text, control, NOT in_scan, id,
       CASE WHEN verdict IN ('matched', 'awaiting') THEN verdict ELSE 'break' END,
       CASE WHEN verdict IN ('matched', 'awaiting') THEN '' ELSE verdict END,
       CASE WHEN verdict = 'refund_failed' THEN 'status' WHEN verdict = 'refund_stuck' THEN 'status' WHEN verdict = 'refund_missing_in_ledger' THEN 'credits'
                    WHEN verdict = 'refund_against_policy' THEN 'policy'
                    WHEN verdict = 'refund_amount_mismatch' THEN 'amount_minor' ELSE '' END,
       CASE WHEN verdict = 'refund_failed' THEN 'succeeded' WHEN verdict = 'refund_stuck' THEN 'succeeded'
                    WHEN verdict = 'refund_missing_in_ledger' THEN taken::text WHEN verdict = 'refund_against_policy' THEN '0'
                    WHEN verdict = 'refund_amount_mismatch' THEN due_minor::text ELSE '' END,
       CASE WHEN verdict = 'refund_failed' THEN status WHEN verdict = 'refund_stuck' THEN status WHEN verdict = 'refund_missing_in_ledger' THEN credits::text
                    WHEN verdict = 'refund_against_policy' THEN amount_minor::text WHEN verdict = 'refund_amount_mismatch' THEN back_minor::text ELSE '' END,
       CASE WHEN verdict = 'refund_failed' THEN owed_minor WHEN verdict = 'refund_stuck' THEN amount_minor WHEN verdict = 'refund_missing_in_ledger' THEN taken - credits
                    WHEN verdict = 'refund_against_policy' THEN -amount_minor WHEN verdict = 'refund_amount_mismatch' THEN due_minor - back_minor ELSE 0 END,
       CASE WHEN verdict = 'refund_missing_in_ledger' THEN 'credits' WHEN verdict = 'matched' THEN '' WHEN verdict = 'awaiting' THEN '' ELSE currency END,
       CASE
           WHEN verdict = 'refund_failed' THEN concat_ws(', ', 'purchase ' || purchase_id,
               CASE WHEN owed_minor <> amount_minor THEN 'it was of ' || amount_minor || ' ' || currency END, nullif(failure_reason, ''))
           WHEN verdict = 'refund_stuck' THEN concat_ws(', ', 'purchase ' || purchase_id, 'pending since ' || (created_at AT TIME ZONE @zone::text)::date)
           WHEN verdict = 'awaiting' THEN CASE WHEN control = 'refunds_stood'
               THEN concat_ws(', ', 'purchase ' || purchase_id, 'pending for ' || CASE WHEN age.days = 1 THEN '1 day' ELSE age.days || ' days' END) ELSE '' END
           WHEN verdict = 'refund_missing_in_ledger' THEN 'purchase ' || purchase_id
           WHEN verdict = 'refund_against_policy' THEN 'purchase ' || purchase_id || ': ' || concat_ws('; ',
               CASE WHEN too_late THEN 'after the refund window (2.3)' END,
               CASE WHEN used > 0 THEN used || ' of ' || credits || ' credits used (2.3)' END,
               CASE WHEN is_denied THEN 'the request was denied (6)' END)
           WHEN verdict = 'refund_amount_mismatch' THEN 'purchase ' || purchase_id || ' of ' || captured_minor || ' ' || currency
               || CASE WHEN back_minor > live_minor THEN ', ' || back_minor - live_minor || ' ' || currency || ' by a dispute' ELSE '' END
           ELSE '' END,
       amount_minor, currency, created_at
FROM question
CROSS JOIN LATERAL (SELECT floor(extract(epoch FROM @as_of::timestamptz - created_at) / 86400) AS days) age
