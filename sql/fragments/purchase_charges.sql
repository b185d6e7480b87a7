-- What is known of the payment of a purchase as of @as_of, one row for each that has a charge or an invoice at Stripe: what it brought and
-- cost (see payment), what its invoice took from the customer's balance, and what went back or is disputed. Made to be joined for a few
-- purchases at a time; to find those that something happened to, use purchases_set_back. Where nothing is known of Stripe, no purchase is looked up.
(SELECT p.id AS purchase_id, p.account_id, c.id AS charge_id, c.currency AS charge_currency, m.captured_minor,
        CASE WHEN y.looked_at THEN m.settled_minor END AS settled_minor, CASE WHEN y.looked_at THEN m.fee_minor END AS fee_minor,
        i.id AS invoice_id, i.from_balance_minor, i.paid_out_of_band, NOT c.captured AS payment_open, {{ payment_accepted }} AS payment_accepted,
        r.refunded_minor, r.refunded_at, r.surplus_minor, d.disputed_at, coalesce(d.dispute_open, false) AS dispute_open
 FROM source.purchases p
 -- Behind a fence, so that purchases are found by what they are joined on and checked afterwards.
 CROSS JOIN LATERAL (SELECT 1 FROM (SELECT p.id, p.account_id, p.kind, p.credits, p.amount_minor, p.currency, p.status, p.created_at, p.completed_at) purchase
                     WHERE {{ purchase_is_valid }} OFFSET 0) valid
 LEFT JOIN reconciler.policy_versions v ON v.policy = @policy::text AND p.completed_at >= v.effective_from AND p.completed_at < v.effective_to
 CROSS JOIN (SELECT EXISTS (SELECT 1 FROM reconciler.stripe_syncs y WHERE y.as_of = @as_of::timestamptz AND y.status = 'complete') AS looked_at,
                    EXISTS (SELECT 1 FROM reconciler.stripe_charges) OR EXISTS (SELECT 1 FROM reconciler.stripe_invoices) AS anything_paid) y
 LEFT JOIN LATERAL {{ main_charge }} c ON true
 LEFT JOIN LATERAL {{ purchase_invoice }} i ON true
 LEFT JOIN LATERAL {{ payment }} m ON true
 CROSS JOIN LATERAL {{ refunded }} r
 LEFT JOIN LATERAL (SELECT min(d.chargeback_at) AS disputed_at,
                           bool_or(d.chargeback_at IS NOT NULL AND d.status NOT IN ('won', 'lost', 'warning_closed')) AS dispute_open
                    FROM {{ disputes_as_of }} d WHERE d.charge_id = c.id) d ON true
 WHERE y.anything_paid AND c.status IS DISTINCT FROM 'failed' AND coalesce(c.id, i.id) IS NOT NULL)
