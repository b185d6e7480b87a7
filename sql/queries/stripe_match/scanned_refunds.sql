-- What the night has to account for, counted by itself.
WITH made AS (
    SELECT r.currency, r.amount_minor
    FROM reconciler.stripe_refunds r
    LEFT JOIN reconciler.stripe_balance_transactions t ON t.id = r.balance_transaction_id
    WHERE r.created_at >= @since::timestamptz AND r.created_at < @as_of::timestamptz AND r.reason <> 'expired_uncaptured_charge'
      AND t.reporting_category IS DISTINCT FROM 'partial_capture_reversal'
), sums AS (
    SELECT '' AS unit, count(*)::text AS amount FROM made
    UNION ALL
    SELECT currency, sum(amount_minor)::text FROM made GROUP BY currency
    UNION ALL
    SELECT ', again', count(*)::text FROM reconciler.candidates s
    WHERE s.business_date = @date::date AND s.job = 'refunds' AND NOT s.in_scan
)
SELECT q.check_name || CASE s.unit WHEN ', again' THEN s.unit ELSE '' END AS check_name, CASE s.unit WHEN ', again' THEN '' ELSE s.unit END AS unit, s.amount
FROM sums s
CROSS JOIN (VALUES ('refunds that stood'), ('refunds whose credits were taken'), ('refunds that the policy allows'), ('refunds of the right amount')) q (check_name)
UNION ALL
SELECT 'refunds of the ledger at Stripe', '', count(DISTINCT e.purchase_id)::text
FROM {{ entries }} e
WHERE e.kind IN ('refund', 'refund_reversal') AND e.purchase_id <> '' AND e.effective_at >= @since::timestamptz AND e.effective_at < @as_of::timestamptz
UNION ALL
SELECT 'refunds of the ledger at Stripe, again', '', count(*)::text FROM reconciler.candidates s
WHERE s.business_date = @date::date AND s.job = 'refunded purchases' AND NOT s.in_scan
UNION ALL
SELECT 'approved refunds', '', count(*)::text FROM {{ approved_refunds }} d
UNION ALL
SELECT 'approved refunds', d.currency, sum(d.refund_minor)::text FROM {{ approved_refunds }} d GROUP BY d.currency
UNION ALL
SELECT 'approved refunds, again', '', count(*)::text FROM reconciler.candidates s
WHERE s.business_date = @date::date AND s.job = 'approved refunds' AND NOT s.in_scan
