-- Purchases whose credits were taken for a refund since a counterpart could have been awaited.
INSERT INTO reconciler.candidates (business_date, job, account_id, subject_id, in_scan)
SELECT DISTINCT @date::date, @scope::text, '', e.purchase_id, true
FROM {{ entries }} e
WHERE e.kind IN ('refund', 'refund_reversal') AND e.purchase_id <> '' AND e.effective_at >= @since::timestamptz AND e.effective_at < @as_of::timestamptz
