-- Payments that something happened to after the instant that the journal had reached, or that it has cleared lately, with what it has of each in the customer's
-- currency, what it has posted to clear it before tonight, and what people have resolved of it; see reconcile.PaymentBooks. Charges as they come,
-- which are nearly all, are not among them.
WITH resolved_since AS MATERIALIZED (
    SELECT b.account_id, b.subject_type, b.subject_id FROM reconciler.breaks b
    WHERE b.kind = ANY (@kinds::text[]) AND b.closed_as = 'resolved' AND b.closed_on >= @from_date::date AND b.closed_on <= @date::date
), touched AS (
    SELECT t.source_id AS charge_id FROM {{ transactions_booked }} t WHERE t.reporting_category = 'charge_failure'
    UNION
    SELECT r.charge_id FROM {{ transactions_booked }} t
    JOIN reconciler.stripe_refunds r ON r.id = t.source_id
    WHERE t.reporting_category IN ('refund', 'refund_failure')
    UNION
    SELECT d.charge_id FROM reconciler.journal_lines l
    JOIN reconciler.stripe_disputes d ON d.id = l.source
    WHERE l.business_date = @date::date AND l.role = 'dispute_losses'
    UNION
    SELECT l.source FROM reconciler.journal_lines l
    WHERE l.kind = 'payment cleared' AND l.business_date >= @cleared_since::date AND l.business_date < @date::date AND l.account_id = ''
    UNION
    SELECT coalesce(r.charge_id, b.subject_id) FROM resolved_since b
    LEFT JOIN reconciler.stripe_refunds r ON r.id = b.subject_id
    WHERE b.subject_type IN ('charge', 'refund')
), found AS (
    SELECT p.account_id, p.id AS purchase_id, CASE WHEN p.id IS NULL THEN c.id END AS charge_id
    FROM touched
    JOIN reconciler.stripe_charges c ON c.id = touched.charge_id
    LEFT JOIN LATERAL {{ purchase_of_charge }} p ON true
    UNION
    SELECT r.account_id, r.purchase_id, NULL FROM reconciler.refunded_lots r
    WHERE r.business_date >= @from_date::date AND r.business_date <= @date::date
    UNION
    SELECT t.account_id, t.row_id, NULL FROM reconciler.platform_states t
    WHERE t.relation = 'purchases' AND t.seen_as_of > @from::timestamptz AND t.seen_as_of <= @as_of::timestamptz
    UNION
    SELECT b.account_id, b.subject_id, NULL FROM resolved_since b WHERE b.subject_type = 'purchase'
    UNION
    SELECT l.account_id, l.source, NULL FROM reconciler.journal_lines l
    WHERE l.kind = 'payment cleared' AND l.business_date >= @cleared_since::date AND l.business_date < @date::date AND l.account_id <> ''
), subject AS MATERIALIZED (
    -- Without its row nobody knows the purchase's charges: nothing is cleared then.
    SELECT f.* FROM found f
    WHERE f.purchase_id IS NULL OR EXISTS (SELECT FROM {{ valid_purchases }} p WHERE p.id = f.purchase_id AND p.account_id = f.account_id)
), charge AS MATERIALIZED (
    SELECT s.account_id, s.purchase_id, c.id
    FROM subject s
    JOIN source.purchases p ON p.id = s.purchase_id AND p.account_id = s.account_id
    CROSS JOIN LATERAL {{ charges_of_purchase }} c
    UNION ALL
    SELECT s.account_id, s.purchase_id, s.charge_id FROM subject s WHERE s.charge_id IS NOT NULL
), about AS MATERIALIZED ( -- what of the payment a line or a break may name
    SELECT s.account_id, s.purchase_id AS subject_id, s.purchase_id AS id FROM subject s WHERE s.purchase_id IS NOT NULL
    UNION
    SELECT c.account_id, coalesce(c.purchase_id, c.id), c.id FROM charge c
    UNION
    SELECT c.account_id, coalesce(c.purchase_id, c.id), r.id FROM charge c JOIN reconciler.stripe_refunds r ON r.charge_id = c.id
), posted AS MATERIALIZED ( -- also what was cleared of a charge before a purchase named it
    SELECT a.account_id, a.subject_id, l.currency, l.role, sum(l.amount_minor) AS minor
    FROM about a
    JOIN reconciler.journal_lines l ON l.source = a.id AND l.source <> '' AND l.account_id IN (a.account_id, '') AND l.kind = @cleared::text
     AND l.business_date >= @begin_date::date AND l.business_date < @date::date
    GROUP BY 1, 2, 3, 4
), resolved AS MATERIALIZED (
    SELECT a.account_id, a.subject_id, b.kind, b.break_id, e.resolution, CASE WHEN e.is_money THEN e.variance END AS minor, CASE WHEN e.is_money THEN e.unit END AS currency
    FROM about a
    JOIN reconciler.breaks b ON b.subject_id = a.id AND b.account_id IN (a.account_id, '') AND b.kind = ANY (@kinds::text[])
     AND b.closed_as = 'resolved' AND b.closed_on <= @date::date AND {{ newest_episode }}
    CROSS JOIN LATERAL (SELECT e.resolution, e.unit, e.variance, e.unit <> 'credits' AS is_money FROM reconciler.break_events e
                        WHERE e.account_id = b.account_id AND e.break_id = b.break_id AND e.event = 'resolved' AND e.business_date <= @date::date
                        ORDER BY e.business_date DESC, e.event_no DESC LIMIT 1) e
), booked AS MATERIALIZED (
    SELECT s.account_id, s.purchase_id, x.kind, x.kind = 'subscription' AND x.credits = 0 AS is_service, x.currency, x.amount_minor, n.currency AS currency_now, n.amount_minor AS minor_now, {{ from_balance }} AS from_balance
    FROM subject s
    JOIN reconciler.booked_purchases x ON x.account_id = s.account_id AND x.purchase_id = s.purchase_id
     AND x.booked_at >= @books_begin::timestamptz AND x.booked_at < @as_of::timestamptz
    CROSS JOIN LATERAL {{ purchase_now }} n
), payable AS MATERIALIZED (
    SELECT s.account_id, s.purchase_id, l.currency, -sum(l.amount_minor) AS minor
    FROM subject s
    JOIN reconciler.journal_lines l ON l.source = s.purchase_id AND l.source <> '' AND l.account_id = s.account_id AND l.role = 'refund_clearing'
     AND l.kind <> @cleared::text AND l.business_date >= @begin_date::date AND l.business_date <= @date::date
    GROUP BY 1, 2, 3
), moved AS MATERIALIZED ( -- what its charges brought and its refunds gave back
    SELECT c.account_id, c.purchase_id, coalesce(c.purchase_id, c.id) AS subject_id, o.currency,
           coalesce(sum(o.minor) FILTER (WHERE NOT k.is_refund), 0) AS brought, coalesce(-sum(o.minor) FILTER (WHERE k.is_refund), 0) AS refunded
    FROM charge c
    CROSS JOIN LATERAL (SELECT t.* FROM reconciler.stripe_balance_transactions t
                        WHERE t.source_id = c.id AND t.source_id <> '' AND t.reporting_category IN ('charge', 'charge_failure')
                        UNION ALL
                        SELECT t.* FROM reconciler.stripe_refunds r
                        JOIN reconciler.stripe_balance_transactions t ON t.source_id = r.id AND t.source_id <> ''
                         AND t.reporting_category IN ('refund', 'refund_failure', 'partial_capture_reversal')
                        WHERE r.charge_id = c.id) t
    CROSS JOIN LATERAL {{ presented }} o
    CROSS JOIN LATERAL (SELECT t.reporting_category IN ('refund', 'refund_failure') AS is_refund) k
    WHERE t.created_at >= @books_begin::timestamptz AND t.created_at < @as_of::timestamptz
      -- What arrived late counts from the night on that books it.
      AND NOT EXISTS (SELECT FROM reconciler.stripe_late x WHERE x.id = t.id AND (x.booked_on IS NULL OR x.booked_on > @date::date))
    GROUP BY 1, 2, 3, 4
), owed AS MATERIALIZED ( -- what is payable of it by what is known of its fees now, in the currency that it was booked in and in the one that it is in
    SELECT x.account_id, x.purchase_id, x.currency, y.sold AS sold_now, o.times * greatest(0, y.due - coalesce(w.withheld, 0)) AS payable_now,
           o.times * greatest(0, x.amount_minor - greatest(0, x.from_balance) -- a debt that was paid with it is none of the purchase
                                 - CASE WHEN x.currency_now <> x.currency AND x.minor_now > 0
                                        THEN div(2 * w.withheld * x.amount_minor + x.minor_now, 2 * x.minor_now) ELSE w.withheld END) AS payable
    FROM booked x
    CROSS JOIN LATERAL (SELECT x.currency_now AS currency) n
    CROSS JOIN LATERAL (SELECT x.minor_now - b.minor AS sold, x.minor_now - greatest(0, b.minor) AS due
                        FROM (SELECT {{ from_balance }} AS minor FROM (SELECT x.account_id, x.purchase_id, n.currency) x) b) y
    -- 1: its credits are out.
    CROSS JOIN LATERAL (SELECT coalesce(-sum(l.direction), 0) AS times FROM reconciler.refunded_lots l
                        WHERE l.account_id = x.account_id AND l.purchase_id = x.purchase_id AND l.business_date >= @begin_date::date AND l.business_date <= @date::date) o
    CROSS JOIN LATERAL (SELECT CASE WHEN o.times <> 0 THEN {{ withheld }} ELSE 0 END AS withheld) w
), restated AS ( -- what was booked in one currency, and is in another by the platform's correction or by somebody's word
    SELECT x.account_id, x.purchase_id, x.kind, x.currency, x.currency_now, x.amount_minor - x.from_balance AS sold,
           CASE WHEN x.is_service OR p.minor IS NULL THEN coalesce(p.minor, 0) ELSE coalesce(y.payable, p.minor) END AS payable,
           y.sold_now, CASE WHEN NOT x.is_service THEN y.payable_now WHEN p.minor > 0 THEN least(y.sold_now, coalesce(m.refunded, 0)) ELSE 0 END AS payable_now
    FROM booked x
    JOIN owed y ON y.account_id = x.account_id AND y.purchase_id = x.purchase_id
    LEFT JOIN payable p ON p.account_id = x.account_id AND p.purchase_id = x.purchase_id AND p.currency = x.currency
    LEFT JOIN moved m ON m.account_id = x.account_id AND m.purchase_id = x.purchase_id AND m.currency = x.currency_now
    WHERE x.currency_now <> x.currency
), part AS (
    SELECT x.account_id, x.purchase_id AS subject_id, x.currency, (x.amount_minor - x.from_balance)::numeric AS sold, 0::numeric AS brought,
        0::numeric AS payable, 0::numeric AS refunded,
           CASE WHEN x.currency_now = x.currency THEN x.minor_now - x.amount_minor ELSE 0 END AS changed, 0::numeric AS lost, x.kind = 'subscription' AS is_subscription,
           0::numeric AS restated_sold, 0::numeric AS restated_payable, 0::numeric AS rewithheld
    FROM booked x
    UNION ALL
    SELECT r.account_id, r.purchase_id, r.currency, 0, 0, 0, 0, 0, 0, false, -r.sold, -r.payable, 0 FROM restated r
    UNION ALL
    SELECT r.account_id, r.purchase_id, r.currency_now, 0, 0, 0, 0, 0, 0, r.kind = 'subscription', r.sold_now, r.payable_now, 0 FROM restated r
    UNION ALL
    SELECT m.account_id, m.subject_id, m.currency, 0, m.brought, 0, m.refunded, 0, 0, false, 0, 0, 0 FROM moved m
    UNION ALL
    SELECT p.account_id, p.purchase_id, p.currency, 0, 0, p.minor, 0, 0, 0, false, 0, 0, 0 FROM payable p
    UNION ALL
    -- As the credits were taken or given back something else was known to be withheld.
    SELECT x.account_id, x.purchase_id, x.currency, 0, 0, 0, 0, 0, 0, false, 0, 0, p.minor - y.payable
    FROM booked x
    JOIN owed y ON y.account_id = x.account_id AND y.purchase_id = x.purchase_id
    JOIN payable p ON p.account_id = x.account_id AND p.purchase_id = x.purchase_id AND p.currency = x.currency
    WHERE NOT x.is_service AND p.minor <> y.payable
    UNION ALL
    -- A loss in the currency that the customer disputed, in proportion where it was settled in another, at whatever rate it was withdrawn.
    SELECT c.account_id, coalesce(c.purchase_id, c.id), d.currency, 0, 0, 0, 0, 0,
           CASE WHEN l.currency = d.currency THEN l.minor ELSE round(d.amount_minor * l.minor / l.withdrawn) END, false, 0, 0, 0
    FROM charge c
    JOIN reconciler.stripe_disputes d ON d.charge_id = c.id
    CROSS JOIN LATERAL (SELECT l.currency, sum(l.amount_minor) AS minor,
                               (SELECT nullif(sum(m.withdrawn_minor), 0) FROM {{ dispute_moves }} m WHERE m.created_at < @as_of::timestamptz) AS withdrawn
                        FROM reconciler.journal_lines l
                        WHERE l.source = d.id AND l.source <> '' AND l.role IN ('dispute_losses', 'exchange_differences')
                            AND l.business_date >= @begin_date::date AND l.business_date <= @date::date
                        GROUP BY l.currency
                        HAVING sum(l.amount_minor) FILTER (WHERE l.role = 'dispute_losses') <> 0) l
    UNION ALL
    SELECT p.account_id, p.subject_id, p.currency, 0, 0, 0, 0, 0, 0, false, 0, 0, 0 FROM posted p
)
SELECT coalesce(account_id, '') AS account_id, subject_id, currency, sum(sold) AS sold, sum(brought) AS brought, sum(payable) AS payable, sum(refunded) AS refunded,
       sum(changed) AS changed, coalesce(sum(lost), 0) AS lost, bool_or(is_subscription) AS is_subscription,
       sum(restated_sold) AS restated_sold, sum(restated_payable) AS restated_payable, sum(rewithheld) AS rewithheld,
       coalesce((SELECT jsonb_object_agg(p.role, p.minor) FROM posted p
                 WHERE (p.account_id, p.subject_id, p.currency) IS NOT DISTINCT FROM (part.account_id, part.subject_id, part.currency)), '{}')::text AS posted,
       coalesce((SELECT jsonb_agg(jsonb_build_object('Kind', r.kind, 'Resolution', r.resolution, 'Minor', r.minor) ORDER BY r.kind, r.break_id COLLATE "C") FROM resolved r
                 WHERE (r.account_id, r.subject_id) IS NOT DISTINCT FROM (part.account_id, part.subject_id)
                   AND r.kind <> 'charge_currency_mismatch' -- says which currency it is in, above
                   AND coalesce(r.currency, part.currency) = part.currency), '[]')::text AS resolved
FROM part
GROUP BY part.account_id, part.subject_id, part.currency
ORDER BY 2, 3, 1
