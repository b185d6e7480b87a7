-- Balance transactions of a category that isn't known, of the night and of open breaks. The known ones are counted, not listed.
INSERT INTO reconciler.stripe_checks (business_date, job, control, again, subject_id, outcome, kind, field, ours, theirs, variance, unit, detail,
    amount_minor, currency)
SELECT @date::date, @job::text, 'balance_transactions', t.created_at < @begin::timestamptz,
       t.id, 'break', 'unknown_reporting_category', 'reporting_category', '', t.reporting_category, -t.net_minor, t.currency,
       'type ' || t.type, t.net_minor, t.currency
FROM reconciler.stripe_balance_transactions t
WHERE t.reporting_category <> ALL (@categories::text[])
  AND t.created_at < @as_of::timestamptz
  AND (t.created_at >= @unseen::timestamptz
       OR t.id IN (SELECT b.subject_id FROM reconciler.breaks b
                   WHERE b.job = @job::text AND b.kind = 'unknown_reporting_category'
                     AND b.opened_on < @date::date AND (b.closed_on IS NULL OR b.closed_on >= @date::date)))
