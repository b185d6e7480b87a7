-- Purchases whose credits were taken for a refund since a counterpart could have been awaited; and those with credits taken whose money a dispute has
-- given back since, or taken.
INSERT INTO reconciler.candidates (business_date, job, account_id, subject_id, in_scan)
SELECT @date::date, @scope::text, '', x.purchase_id, bool_or(x.in_scan)
FROM (SELECT e.purchase_id, true AS in_scan FROM {{ entries }} e
      WHERE e.kind IN ('refund', 'refund_reversal') AND e.purchase_id <> '' AND e.effective_at >= @since::timestamptz AND e.effective_at < @as_of::timestamptz
      UNION ALL
      SELECT p.id, false
      FROM (SELECT h.object_id AS id FROM reconciler.stripe_states h WHERE h.effective_at >= @since::timestamptz AND h.effective_at < @as_of::timestamptz
            UNION
            SELECT t.source_id FROM reconciler.stripe_balance_transactions t
            WHERE t.reporting_category = 'dispute_reversal' AND t.created_at >= @since::timestamptz AND t.created_at < @as_of::timestamptz) moved
      JOIN reconciler.stripe_disputes d ON d.id = moved.id
      JOIN reconciler.stripe_charges c ON c.id = d.charge_id
      CROSS JOIN LATERAL {{ purchase_of_charge }} p
      WHERE EXISTS (SELECT FROM {{ entries }} e WHERE e.account_id = p.account_id AND e.purchase_id = p.id AND e.kind = 'refund' AND e.effective_at < @as_of::timestamptz)) x
GROUP BY x.purchase_id
