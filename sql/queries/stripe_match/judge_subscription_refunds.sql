-- Subscription fees are not refunded (clause 4.1), whoever did it.
INSERT INTO reconciler.stripe_checks (account_id, business_date, job, control, again, subject_id, outcome, kind, field, ours, theirs, variance,
    unit, detail, amount_minor, currency)
SELECT coalesce(p.account_id, ''), @date::date, @job::text, @scope::text, NOT k.in_scan, r.id,
       CASE WHEN r.is_live THEN 'break' ELSE 'matched' END, CASE WHEN r.is_live THEN 'subscription_refunded' ELSE '' END,
       CASE WHEN r.is_live THEN 'amount_minor' ELSE '' END, CASE WHEN r.is_live THEN '0' ELSE '' END, CASE WHEN r.is_live THEN r.amount_minor::text ELSE '' END,
       CASE WHEN r.is_live THEN -r.amount_minor ELSE 0 END, CASE WHEN r.is_live THEN r.currency ELSE '' END,
       CASE WHEN r.is_live THEN concat_ws(', ', 'charge ' || r.charge_id, 'purchase ' || p.id) ELSE '' END, r.amount_minor, r.currency
FROM reconciler.candidates k
JOIN {{ refunds_as_of }} r ON r.id = k.subject_id
JOIN reconciler.stripe_charges c ON c.id = r.charge_id
LEFT JOIN LATERAL {{ purchase_of_charge }} p ON true
WHERE k.business_date = @date::date AND k.job = @scope::text
