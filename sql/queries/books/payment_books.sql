-- Payments that something happened to since the journal had got there, or that it has cleared of late, with what it has of each in the customer's
-- currency, and what it has posted to clear it before tonight (offset and corrected); see reconcile.PaymentBooks. Charges as they come, which
-- are nearly all, are not among them.
WITH touched AS (
    SELECT t.source_id AS charge_id FROM {{ transactions_booked }} t WHERE t.reporting_category = 'charge_failure'
    UNION
    SELECT r.charge_id FROM {{ transactions_booked }} t
    JOIN reconciler.stripe_refunds r ON r.id = t.source_id
    WHERE t.reporting_category IN ('refund', 'refund_failure')
    UNION
    SELECT l.source FROM reconciler.journal_lines l
    WHERE l.kind = 'payment cleared' AND l.business_date >= @cleared_since::date AND l.business_date < @date::date AND l.account_id = ''
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
    SELECT b.account_id, b.subject_id, NULL FROM reconciler.breaks b
    WHERE b.kind = 'charge_amount_mismatch' AND b.closed_as = 'resolved' AND b.closed_on >= @from_date::date AND b.closed_on <= @date::date
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
), part AS (
    SELECT s.account_id, s.purchase_id AS subject_id, x.currency, x.amount_minor::numeric - {{ from_balance }} AS sold, 0::numeric AS brought, 0::numeric AS payable, 0::numeric AS refunded,
           coalesce((SELECT CASE WHEN t.content ->> 'status' = 'completed' THEN (t.content ->> 'amount_minor')::numeric ELSE 0 END - x.amount_minor
                     FROM reconciler.platform_states t
                     WHERE t.relation = 'purchases' AND t.account_id = x.account_id AND t.row_id = x.purchase_id AND t.seen_as_of <= @as_of::timestamptz
                     ORDER BY t.seen_as_of DESC LIMIT 1), 0) AS changed,
           0::numeric AS "offset", 0::numeric AS corrected, {{ payment_accepted }} AS accepted
    FROM subject s
    JOIN reconciler.booked_purchases x ON x.account_id = s.account_id AND x.purchase_id = s.purchase_id
     AND x.booked_at >= @books_begin::timestamptz AND x.booked_at < @as_of::timestamptz
    CROSS JOIN LATERAL (SELECT x.account_id, x.purchase_id AS id) p
    UNION ALL
    SELECT c.account_id, coalesce(c.purchase_id, c.id), o.currency,
           0, CASE WHEN t.reporting_category IN ('refund', 'refund_failure') THEN 0 ELSE o.minor END,
           0, CASE WHEN t.reporting_category IN ('refund', 'refund_failure') THEN -o.minor ELSE 0 END, 0, 0, 0, false
    FROM charge c
    CROSS JOIN LATERAL (SELECT t.* FROM reconciler.stripe_balance_transactions t
                        WHERE t.source_id = c.id AND t.source_id <> '' AND t.reporting_category IN ('charge', 'charge_failure')
                        UNION ALL
                        SELECT t.* FROM reconciler.stripe_refunds r
                        JOIN reconciler.stripe_balance_transactions t ON t.source_id = r.id AND t.source_id <> ''
                         AND t.reporting_category IN ('refund', 'refund_failure', 'partial_capture_reversal')
                        WHERE r.charge_id = c.id) t
    CROSS JOIN LATERAL {{ presented }} o
    WHERE t.created_at >= @books_begin::timestamptz AND t.created_at < @as_of::timestamptz
      -- What turned up late counts from the night on that books it.
      AND NOT EXISTS (SELECT FROM reconciler.stripe_late x WHERE x.id = t.id AND (x.booked_on IS NULL OR x.booked_on > @date::date))
    UNION ALL
    SELECT s.account_id, s.purchase_id, l.currency, 0, 0, -l.amount_minor, 0, 0, 0, 0, false
    FROM subject s
    JOIN reconciler.journal_lines l ON l.source = s.purchase_id AND l.source <> '' AND l.account_id = s.account_id AND l.role = 'refund_clearing'
     AND l.kind <> @cleared::text AND l.business_date >= @begin_date::date AND l.business_date <= @date::date
    UNION ALL
    -- Also what was cleared of a charge before a purchase named it.
    SELECT s.account_id, s.subject_id, l.currency, 0, 0, 0, 0, 0, CASE l.role WHEN 'refund_clearing' THEN -l.amount_minor ELSE 0 END, CASE l.role WHEN 'credits_taken' THEN -l.amount_minor ELSE 0 END, false
    FROM (SELECT account_id, purchase_id AS subject_id, purchase_id AS source FROM subject WHERE purchase_id IS NOT NULL
          UNION SELECT account_id, coalesce(purchase_id, id), id FROM charge) s
    JOIN reconciler.journal_lines l ON l.source = s.source AND l.source <> '' AND l.kind = @cleared::text
     AND l.business_date >= @begin_date::date AND l.business_date < @date::date
)
SELECT coalesce(account_id, '') AS account_id, subject_id, currency, sum(sold)::text AS sold, sum(brought)::text AS brought, sum(payable)::text AS payable, sum(refunded)::text AS refunded,
       sum(changed)::text AS changed, sum("offset")::text AS "offset", sum(corrected)::text AS corrected, bool_or(accepted) AS accepted
FROM part
GROUP BY 1, 2, 3
ORDER BY 2, 3, 1
