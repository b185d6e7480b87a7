-- What is kept back from a refund of booked purchase x, in the currency n.currency that it is in now: as was decided, or as the policy has it where
-- nothing was; null while the fee of its payment is not known. It knows no refund of a subscription charge, so that nothing is withheld of one.
coalesce((SELECT d.fee_minor FROM reconciler.refund_decisions d
          WHERE d.account_id = x.account_id AND d.purchase_id = x.purchase_id AND d.decision = 'approve' AND d.currency = n.currency AND d.business_date <= @date::date
          ORDER BY d.business_date DESC LIMIT 1),
         (SELECT CASE WHEN count(*) = 0 THEN 0 ELSE max(m.captured_minor - r.surplus_minor + least(0, coalesce(i.from_balance_minor, 0)) - {{ refundable }}) END
          FROM source.purchases p
          LEFT JOIN reconciler.policy_versions v ON v.policy = @policy::text AND p.completed_at >= v.effective_from AND p.completed_at < v.effective_to
          CROSS JOIN LATERAL {{ main_charge }} c
          LEFT JOIN LATERAL {{ purchase_invoice }} i ON true
          CROSS JOIN LATERAL {{ refunded }} r
          CROSS JOIN LATERAL {{ payment }} m
          WHERE x.kind = 'credits' AND p.id = x.purchase_id AND p.account_id = x.account_id AND c.currency = n.currency AND c.status <> 'failed'))::numeric
