-- Purchases whose credits were taken for a refund since a counterpart could have been awaited; and those with credits taken whose money a dispute has
-- given back since, or taken.
INSERT INTO reconciler.candidates (business_date, job, account_id, subject_id, in_scan)
WITH disputed AS MATERIALIZED (
    SELECT DISTINCT p.account_id, p.id
    FROM {{ disputes_moved_since }} moved
    JOIN reconciler.stripe_disputes d ON d.id = moved.id
    JOIN reconciler.stripe_charges c ON c.id = d.charge_id
    CROSS JOIN LATERAL {{ purchase_of_charge }} p
)
SELECT @date::date, @scope::text, '', x.purchase_id, bool_or(x.in_scan)
FROM (SELECT e.purchase_id, true AS in_scan FROM {{ entries }} e
      WHERE e.kind IN ('refund', 'refund_reversal') AND e.purchase_id <> '' AND e.effective_at >= @since::timestamptz AND e.effective_at < @as_of::timestamptz
      UNION ALL
      SELECT d.id, false
      FROM disputed d
      CROSS JOIN LATERAL (SELECT e.account_id FROM {{ entries }} e
                          WHERE e.account_id = d.account_id AND e.purchase_id = d.id AND e.kind = 'refund' AND e.effective_at < @as_of::timestamptz
                          GROUP BY e.account_id) e) x
GROUP BY x.purchase_id
