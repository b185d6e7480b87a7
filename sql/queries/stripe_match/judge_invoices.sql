-- No invoice gives credit for part of a period (clause 4.2).
INSERT INTO reconciler.stripe_checks (account_id, business_date, job, control, again, subject_id, outcome, kind, field, ours, theirs, variance,
    unit, detail, amount_minor, currency)
WITH subscription AS MATERIALIZED {{ subscriptions_as_of }}
SELECT coalesce(s.account_id, ''), @date::date, @job::text, @scope::text, NOT k.in_scan, i.id,
       CASE WHEN l.is_break THEN 'break' ELSE 'matched' END, CASE WHEN l.is_break THEN 'subscription_prorated' ELSE '' END,
       CASE WHEN l.is_break THEN 'proration' ELSE '' END, CASE WHEN l.is_break THEN '0' ELSE '' END, CASE WHEN l.is_break THEN l.credited::text ELSE '' END,
       CASE WHEN l.is_break THEN -l.credited ELSE 0 END, CASE WHEN l.is_break THEN i.currency ELSE '' END,
       CASE WHEN l.is_break THEN 'subscription ' || i.subscription_id ELSE '' END, i.total_minor, i.currency
FROM reconciler.candidates k
JOIN reconciler.stripe_invoices i ON i.id = k.subject_id AND i.created_at < @as_of::timestamptz
LEFT JOIN LATERAL (SELECT min(s.account_id) AS account_id FROM subscription s WHERE s.stripe_subscription_id = i.subscription_id) s ON true
CROSS JOIN LATERAL (SELECT coalesce(sum(l.amount_minor), 0) AS credited,
                           coalesce(sum(l.amount_minor), 0) < 0 AND i.status NOT IN ('draft', 'void', 'deleted') AS is_break
                    FROM reconciler.stripe_invoice_lines l WHERE l.invoice_id = i.id AND l.proration AND l.amount_minor < 0) l
WHERE k.business_date = @date::date AND k.job = @scope::text
