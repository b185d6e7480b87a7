-- What is kept back from a refund of booked purchase x, in the currency n.currency that it is in now: as was decided, or as the policy has it where
-- nothing was. It knows no refund of a subscription charge, so that nothing is withheld of one.
coalesce((SELECT d.fee_minor FROM reconciler.refund_decisions d
          WHERE d.account_id = x.account_id AND d.purchase_id = x.purchase_id AND d.decision = 'approve' AND d.currency = n.currency AND d.business_date <= @date::date
          ORDER BY d.business_date DESC LIMIT 1),
         (SELECT m.captured_minor - r.surplus_minor + least(0, coalesce(i.from_balance_minor, 0)) - {{ refundable }}
          FROM {{ purchase_charges }} m
          CROSS JOIN LATERAL (SELECT m.from_balance_minor) i
          CROSS JOIN LATERAL (SELECT m.surplus_minor) r
          WHERE x.kind = 'credits' AND m.purchase_id = x.purchase_id AND m.account_id = x.account_id AND m.charge_currency = n.currency
          LIMIT 1), 0)::numeric
