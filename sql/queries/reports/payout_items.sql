-- What the payouts of payouts.csv consist of: each transaction, and the purchase that it is about, found by its charge.
SELECT o.payout_id, t.id AS balance_transaction_id, t.reporting_category, t.source_id, coalesce(p.id, '') AS purchase_id, coalesce(p.account_id, '') AS account_id,
       t.amount_minor AS gross_minor, t.fee_minor, t.net_minor, t.currency
FROM reconciler.payout_tie_outs o
JOIN reconciler.stripe_payouts y ON y.id = o.payout_id
JOIN reconciler.stripe_balance_transactions t ON t.payout_id = o.payout_id AND t.payout_id <> '' AND t.id <> y.balance_transaction_id
LEFT JOIN LATERAL (SELECT x.id, x.payment_intent_id, x.invoice_id, x.metadata_purchase_id
                   FROM reconciler.stripe_charges x
                   WHERE x.id = coalesce((SELECT r.charge_id FROM reconciler.stripe_refunds r WHERE r.id = t.source_id),
                                         (SELECT d.charge_id FROM reconciler.stripe_disputes d WHERE d.id = t.source_id), t.source_id)) c ON true
LEFT JOIN LATERAL {{ purchase_of_charge }} p ON true
WHERE o.business_date = @date::date AND o.transactions > 0
ORDER BY o.payout_id COLLATE "C", t.id COLLATE "C"
