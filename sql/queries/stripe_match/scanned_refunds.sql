-- What the night has to account for, counted by itself.
WITH made AS (
    SELECT r.currency, r.amount_minor
    FROM reconciler.stripe_refunds r
    LEFT JOIN reconciler.stripe_balance_transactions t ON t.id = r.balance_transaction_id
    WHERE r.created_at >= @since::timestamptz AND r.created_at < @as_of::timestamptz AND r.reason <> 'expired_uncaptured_charge'
      AND t.reporting_category IS DISTINCT FROM 'partial_capture_reversal'
), sums AS (
    SELECT false AS again, '' AS unit, count(*) AS amount FROM made
    UNION ALL
    SELECT false, currency, sum(amount_minor) FROM made GROUP BY currency
    UNION ALL
    SELECT true, '', count(*) FROM reconciler.candidates s
    WHERE s.business_date = @date::date AND s.job = 'refunds' AND NOT s.in_scan
)
SELECT q.control, s.again, s.unit, s.amount
FROM sums s
CROSS JOIN (VALUES ('refunds_stood'), ('refunds_credits'), ('refunds_policy'), ('refunds_amount')) q (control)
UNION ALL
SELECT 'ledger_refunds', false, '', count(DISTINCT e.purchase_id)
FROM {{ entries }} e
WHERE e.kind IN ('refund', 'refund_reversal') AND e.purchase_id <> '' AND e.effective_at >= @since::timestamptz AND e.effective_at < @as_of::timestamptz
UNION ALL
SELECT 'ledger_refunds', true, '', count(*) FROM reconciler.candidates s
WHERE s.business_date = @date::date AND s.job = 'ledger_refunds' AND NOT s.in_scan
UNION ALL
SELECT 'approved_refunds', false, '', count(*) FROM {{ approved_refunds }} d
UNION ALL
SELECT 'approved_refunds', false, d.currency, sum(d.refund_minor) FROM {{ approved_refunds }} d GROUP BY d.currency
UNION ALL
SELECT 'approved_refunds', true, '', count(*) FROM reconciler.candidates s
WHERE s.business_date = @date::date AND s.job = 'approved_refunds' AND NOT s.in_scan
