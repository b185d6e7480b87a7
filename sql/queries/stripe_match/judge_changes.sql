-- Upgrades are charged at once, downgrades wait for the cycle's end (clause 4.3). Clocks may differ by a minute.
INSERT INTO reconciler.stripe_checks (account_id, business_date, job, control, again, subject_id, outcome, kind, field, ours, theirs, variance,
    unit, detail, since)
WITH subscription AS MATERIALIZED {{ subscriptions_as_of }}, facts AS (
    SELECT k.in_scan, h.id, h.account_id, h.kind, h.effective_at, h.from_plan, h.to_plan, s.stripe_subscription_id,
           i.id AS invoice_id, CASE WHEN i.paid_at < @as_of::timestamptz THEN 'paid' WHEN i.status = 'paid' THEN 'open' ELSE i.status END AS invoice_status,
           coalesce(l.period_end, CASE WHEN h.effective_at > s.current_period_start AND h.effective_at < s.current_period_end
                                       THEN s.current_period_end END) AS cycle_end
    FROM reconciler.candidates k
    JOIN {{ valid_subscription_changes }} h ON h.id = k.subject_id
    LEFT JOIN subscription s ON s.id = h.subscription_id
    LEFT JOIN LATERAL (SELECT i.id, i.status, i.paid_at
                       FROM (SELECT i.* FROM reconciler.stripe_invoices i WHERE i.id = h.stripe_invoice_id
                             UNION ALL
                             SELECT i.* FROM reconciler.stripe_invoices i
                             WHERE coalesce(h.stripe_invoice_id, '') = '' AND i.subscription_id = s.stripe_subscription_id AND i.subscription_id <> ''
                               AND i.billing_reason = 'subscription_update'
                               AND i.created_at BETWEEN h.effective_at - interval '24 hours' AND h.effective_at + interval '24 hours') i
                       WHERE i.created_at < @as_of::timestamptz AND h.kind = 'upgrade'
                       ORDER BY i.paid_at NULLS LAST, i.id LIMIT 1) i ON true
    -- The paid cycle that the change fell into.
    LEFT JOIN LATERAL (SELECT max(l.period_end) AS period_end
                       FROM reconciler.stripe_invoices p
                       JOIN reconciler.stripe_invoice_lines l ON l.invoice_id = p.id
                       WHERE p.subscription_id = s.stripe_subscription_id AND p.subscription_id <> '' AND p.paid_at < @as_of::timestamptz
                         AND NOT l.proration AND l.type = 'subscription'
                         AND h.effective_at > l.period_start + interval '1 minute' AND h.effective_at < l.period_end - interval '1 minute') l ON true
    WHERE k.business_date = @date::date AND k.job = @scope::text AND h.effective_at < @as_of::timestamptz
), judged AS (
    SELECT f.*, CASE
        WHEN kind = 'upgrade' AND invoice_status = 'paid' THEN 'matched'
        WHEN kind = 'upgrade' AND effective_at > @grace_before::timestamptz THEN 'awaiting'
        WHEN kind = 'upgrade' THEN 'upgrade_not_charged'
        WHEN kind = 'downgrade' AND effective_at < cycle_end - interval '1 minute' THEN 'downgrade_early'
        ELSE 'matched' END AS verdict
    FROM facts f
)
SELECT account_id, @date::date, @job::text, @scope::text, NOT in_scan, id,
       CASE WHEN verdict IN ('matched', 'awaiting') THEN verdict ELSE 'break' END,
       CASE WHEN verdict IN ('matched', 'awaiting') THEN '' ELSE verdict END,
       CASE WHEN verdict = 'upgrade_not_charged' THEN 'invoice' WHEN verdict = 'downgrade_early' THEN 'effective_at' ELSE '' END,
       CASE WHEN verdict = 'upgrade_not_charged' THEN from_plan || ' to ' || coalesce(to_plan, '')
                    WHEN verdict = 'downgrade_early' THEN to_char(effective_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') ELSE '' END,
       CASE WHEN verdict = 'upgrade_not_charged' THEN coalesce(invoice_status, '')
                    WHEN verdict = 'downgrade_early' THEN to_char(cycle_end AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') ELSE '' END,
       CASE WHEN verdict = 'downgrade_early' THEN trunc(extract(epoch FROM effective_at - cycle_end)) ELSE 0 END,
       CASE WHEN verdict = 'downgrade_early' THEN 'seconds' ELSE '' END,
       CASE WHEN verdict = 'upgrade_not_charged' THEN coalesce('invoice ' || invoice_id, 'no invoice') ELSE '' END, effective_at
FROM judged
