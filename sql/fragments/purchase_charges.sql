-- What Stripe knows of a purchase, one row for each that a payment was found for, as of @as_of. fee_minor is null until Stripe has posted
-- the charge, and for a night that Stripe was not looked at for: a decision that needs it waits. Made to be joined for a few purchases at
-- a time; to find those that something happened to, use purchases_set_back.
(SELECT p.id AS purchase_id, p.account_id, c.id AS charge_id, c.amount_minor AS charge_amount_minor, c.currency AS charge_currency,
        CASE WHEN EXISTS (SELECT FROM reconciler.stripe_syncs y WHERE y.as_of = @as_of::timestamptz AND y.status = 'complete')
             THEN t.fee_minor END AS fee_minor,
        t.amount_minor AS settled_amount_minor, t.currency AS settled_currency,
        coalesce(r.refunded_minor, 0)::bigint AS refunded_minor, r.refunded_at, d.disputed_at, coalesce(d.dispute_open, false) AS dispute_open
 FROM source.purchases p
 -- Behind a fence, so that purchases are found by what they are joined on and checked afterwards.
 CROSS JOIN LATERAL (SELECT FROM (SELECT p.id, p.account_id, p.kind, p.credits, p.amount_minor, p.currency, p.status, p.created_at, p.completed_at) purchase
                     WHERE {{ purchase_is_valid }} OFFSET 0) valid
 CROSS JOIN LATERAL {{ main_charge }} c
 LEFT JOIN reconciler.stripe_balance_transactions t ON t.id = c.balance_transaction_id AND t.created_at < @as_of::timestamptz
 LEFT JOIN LATERAL (SELECT sum(r.amount_minor) AS refunded_minor, min(r.created_at) AS refunded_at
                    FROM {{ refunds_as_of }} r WHERE r.charge_id = c.id AND r.is_live) r ON true
 LEFT JOIN LATERAL (SELECT min(d.chargeback_at) AS disputed_at,
                           bool_or(d.chargeback_at IS NOT NULL AND d.status NOT IN ('won', 'lost', 'warning_closed')) AS dispute_open
                    FROM {{ disputes_as_of }} d WHERE d.charge_id = c.id) d ON true
 WHERE c.status <> 'failed')
