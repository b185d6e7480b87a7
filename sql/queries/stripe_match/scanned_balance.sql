-- What the night has to account for, counted by itself.
SELECT 'balance_transactions' AS control, false AS again, '' AS unit, count(*) AS amount
FROM reconciler.stripe_balance_transactions t WHERE t.created_at >= @begin::timestamptz AND t.created_at < @as_of::timestamptz
UNION ALL
SELECT 'balance_transactions', false, a.currency, sum(a.net) FROM reconciler.stripe_activity a WHERE a.business_date = @date::date GROUP BY a.currency
UNION ALL
SELECT 'payouts', false, '', count(*)
FROM reconciler.stripe_payouts p WHERE p.created_at >= @begin::timestamptz AND p.created_at < @as_of::timestamptz
UNION ALL
SELECT 'payouts', false, p.currency, sum(p.amount_minor)
FROM reconciler.stripe_payouts p WHERE p.created_at >= @begin::timestamptz AND p.created_at < @as_of::timestamptz
GROUP BY p.currency
UNION ALL
SELECT 'balances', false, '', count(*) FROM reconciler.stripe_cash c WHERE c.business_date = @date::date
UNION ALL
SELECT 'payouts', true, '', count(*)
FROM reconciler.payout_tie_outs p WHERE p.business_date = @date::date AND p.created_at < @begin::timestamptz
UNION ALL
SELECT 'balance_transactions', true, '', count(*)
FROM reconciler.stripe_balance_transactions t
WHERE t.reporting_category <> ALL (@categories::text[]) AND t.created_at < @begin::timestamptz
  AND (t.created_at >= @unseen::timestamptz
       OR EXISTS (SELECT FROM reconciler.breaks b
                  WHERE b.subject_id = t.id AND b.job = @job::text AND b.kind = 'unknown_reporting_category'
                    AND b.opened_on < @date::date AND (b.closed_on IS NULL OR b.closed_on >= @date::date)))
