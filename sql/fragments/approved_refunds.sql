-- Refunds that were approved by the night and call for money: recent ones, older ones of which nothing was ever refunded, and those whose payment
-- something has happened to in the night, as a refund that failed.
(SELECT d.account_id, d.request_id, d.purchase_id, d.charge_id, d.business_date, d.refund_minor, d.currency, d.policy_version
 FROM reconciler.refund_decisions d
 WHERE d.decision = 'approve' AND d.kind = 'unused_credits' AND d.refund_minor > 0 AND d.business_date <= @date::date
   AND (d.business_date >= @approved_since::date
        OR NOT EXISTS (SELECT FROM reconciler.stripe_refunds f WHERE f.charge_id = d.charge_id AND f.created_at < @as_of::timestamptz)
        OR d.purchase_id IN (SELECT b.purchase_id FROM {{ purchases_set_back }} b)))
