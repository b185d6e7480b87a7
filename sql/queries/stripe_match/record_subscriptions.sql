-- One row for each subscription that was looked at, with what the checks of it, its changes, invoices and refunds came to.
INSERT INTO reconciler.subscription_checks (account_id, business_date, subscription_id, stripe_subscription_id, plan, status, stripe_status,
    current_period_start, current_period_end, paid_through, access_ends_at, invoices, invoiced_minor, paid_minor, prorated_minor,
    refunded_minor, currency, changes, tie_out)
WITH subscription AS MATERIALIZED {{ subscriptions_as_of }}
SELECT s.account_id, @date::date, s.id, s.stripe_subscription_id, s.plan, s.status,
       coalesce((SELECT h.status FROM reconciler.stripe_states h WHERE h.object_id = s.stripe_subscription_id AND h.effective_at < @as_of::timestamptz
                 ORDER BY h.effective_at DESC, h.seen_at DESC LIMIT 1), ''),
       s.current_period_start, s.current_period_end, t.paid_through, s.access_ends_at,
       i.invoices, i.invoiced_minor, i.paid_minor, i.prorated_minor, i.refunded_minor, coalesce(i.currency, ''), h.changes,
       coalesce(c.kinds, CASE WHEN c.is_awaiting THEN 'awaiting' ELSE 'tied' END)
FROM reconciler.candidates k
JOIN subscription s ON s.id = k.subject_id
LEFT JOIN LATERAL {{ paid_through }} t ON true
CROSS JOIN LATERAL (
    SELECT count(*) AS invoices, coalesce(sum(i.total_minor), 0) AS invoiced_minor,
           coalesce(sum(i.paid_minor) FILTER (WHERE i.paid_at < @as_of::timestamptz), 0) AS paid_minor,
           coalesce(sum((SELECT sum(l.amount_minor) FROM reconciler.stripe_invoice_lines l
                         WHERE l.invoice_id = i.id AND l.proration AND l.amount_minor < 0)), 0) AS prorated_minor,
           coalesce(sum((SELECT sum(r.amount_minor) FROM {{ refunds_as_of }} r
                         JOIN reconciler.stripe_charges c ON c.id = r.charge_id
                         WHERE c.invoice_id = i.id AND r.is_live)), 0) AS refunded_minor,
           min(i.currency) AS currency
    FROM reconciler.stripe_invoices i
    WHERE i.subscription_id = s.stripe_subscription_id AND i.subscription_id <> ''
      AND i.created_at >= @begin::timestamptz AND i.created_at < @as_of::timestamptz) i
CROSS JOIN LATERAL (SELECT count(*) AS changes FROM {{ valid_subscription_changes }} h
                    WHERE h.subscription_id = s.id AND h.effective_at >= @begin::timestamptz AND h.effective_at < @as_of::timestamptz) h
CROSS JOIN LATERAL (
    SELECT string_agg(DISTINCT c.kind, ' ' ORDER BY c.kind) FILTER (WHERE c.kind <> '') AS kinds, coalesce(bool_or(c.outcome = 'awaiting'), false) AS is_awaiting
    FROM reconciler.stripe_checks c
    WHERE c.business_date = @date::date AND c.job = @job::text AND c.outcome <> 'matched' AND c.account_id = s.account_id
      AND (c.subject_id = s.id
           OR c.subject_id IN (SELECT h.id FROM {{ valid_subscription_changes }} h WHERE h.subscription_id = s.id)
           OR c.subject_id IN (SELECT i.id FROM reconciler.stripe_invoices i WHERE i.subscription_id = s.stripe_subscription_id AND i.subscription_id <> '')
           OR c.subject_id IN (SELECT r.id FROM reconciler.stripe_invoices i JOIN reconciler.stripe_charges x ON x.invoice_id = i.id
                               JOIN reconciler.stripe_refunds r ON r.charge_id = x.id
                               WHERE i.subscription_id = s.stripe_subscription_id AND i.subscription_id <> ''))) c
WHERE k.business_date = @date::date AND k.job = @scope::text
