-- Where the money of subscription charges is at the end of the night, by clause 4 and the day: of those that the night before had not earned in
-- full, those booked tonight, and those that a refund was booked for; of invoices without a purchase that moved a customer's balance likewise.
-- A night that a later one has continued from stays as it was.
INSERT INTO reconciler.subscription_positions (account_id, business_date, subject_id, invoice_id, currency, opened_minor, settled_minor, deferred_minor, tax_minor,
    earned_minor, given_back_minor, is_purchase, is_done)
WITH RECURSIVE refunded AS (
    SELECT DISTINCT b.account_id, b.purchase_id
    FROM {{ transactions_booked }} t
    JOIN reconciler.stripe_refunds r ON r.id = t.source_id
    JOIN reconciler.stripe_charges c ON c.id = r.charge_id
    CROSS JOIN LATERAL {{ purchase_of_charge }} p
    JOIN reconciler.booked_purchases b ON b.account_id = p.account_id AND b.purchase_id = p.id AND b.kind = 'subscription' AND b.credits = 0
    WHERE t.reporting_category IN ('refund', 'refund_failure')
    UNION -- or known to be in another currency, so that earlier ones count
    SELECT b.account_id, b.purchase_id
    FROM (SELECT k.account_id, k.subject_id AS id FROM reconciler.breaks k
          WHERE k.kind = 'charge_currency_mismatch' AND k.closed_as = 'resolved' AND k.closed_on >= @date::date - 1 AND k.closed_on <= @date::date
          UNION
          SELECT t.account_id, t.row_id FROM reconciler.platform_states t
          WHERE t.relation = 'purchases' AND t.seen_as_of > @begin::timestamptz AND t.seen_as_of <= @as_of::timestamptz) s
    JOIN reconciler.booked_purchases b ON b.account_id = s.account_id AND b.purchase_id = s.id AND b.kind = 'subscription' AND b.credits = 0
), subject AS (
    SELECT w.account_id, w.subject_id, w.is_purchase FROM reconciler.subscription_positions w
    WHERE w.business_date = @date::date - 1 AND @continues::boolean AND NOT w.is_done
    UNION
    SELECT b.account_id, b.purchase_id, true FROM reconciler.booked_purchases b
    WHERE b.kind = 'subscription' AND b.credits = 0 AND b.booked_at < @end::timestamptz
      AND (b.booked_at >= @begin::timestamptz
           -- Also where a database comes from a version that kept none.
           OR NOT (SELECT EXISTS (SELECT FROM reconciler.subscription_positions w WHERE w.business_date >= @begin_date::date AND w.business_date < @date::date)))
    UNION
    SELECT r.account_id, r.purchase_id, true FROM refunded r
    UNION
    SELECT coalesce((SELECT s.account_id FROM source.subscriptions s WHERE s.stripe_subscription_id = i.subscription_id AND i.subscription_id <> ''
        ORDER BY s.id LIMIT 1), ''), i.id, false
    FROM reconciler.stripe_invoices i
    WHERE i.from_balance_minor <> 0 AND i.finalized_at >= greatest(@books_begin::timestamptz, @begin::timestamptz - interval '60 days') AND i.finalized_at < @end::timestamptz
      AND NOT EXISTS (SELECT FROM reconciler.subscription_positions w
                      WHERE w.subject_id = i.id AND w.business_date >= @begin_date::date AND w.business_date < @date::date)
), known AS MATERIALIZED (
    SELECT s.account_id, s.subject_id, s.is_purchase, b.amount_minor AS booked_minor, b.currency AS booked_currency, b.booked_at >= @books_begin::timestamptz AS is_ours,
           coalesce(was.invoice_id, '') AS invoice_was, coalesce(was.tax_minor, b.tax_minor, 0) AS tax_was,
           was.subject_id IS NULL OR was.given_back_minor <> 0 OR b.booked_at < @books_begin::timestamptz OR r.purchase_id IS NOT NULL AS may_be_refunded
    FROM subject s
    LEFT JOIN reconciler.booked_purchases b ON s.is_purchase AND b.account_id = s.account_id AND b.purchase_id = s.subject_id
    LEFT JOIN refunded r ON r.account_id = s.account_id AND r.purchase_id = s.subject_id
    LEFT JOIN LATERAL (SELECT w.* FROM reconciler.subscription_positions w
                       WHERE w.account_id = s.account_id AND w.subject_id = s.subject_id AND w.business_date >= @begin_date::date AND w.business_date < @date::date
                       ORDER BY w.business_date DESC LIMIT 1) was ON true
    WHERE b.purchase_id IS NOT NULL OR NOT s.is_purchase
), found AS (
    -- An invoice is found once; after that it is the purchase's.
    SELECT k.account_id, k.subject_id, v.id
    FROM known k
    JOIN source.purchases p ON p.account_id = k.account_id AND p.id = k.subject_id
    LEFT JOIN LATERAL {{ main_charge }} c ON true
    CROSS JOIN LATERAL {{ purchase_invoice }} v
    WHERE k.is_purchase AND k.invoice_was = '' AND v.currency = k.booked_currency
), sold AS (
    -- Invoices that a purchase names are the purchase's.
    SELECT k.subject_id AS id
    FROM known k
    JOIN reconciler.stripe_invoices i ON i.id = k.subject_id
    CROSS JOIN LATERAL (SELECT nullif(i.charge_id, '') AS id, i.payment_intent_id, i.id AS invoice_id, '' AS metadata_purchase_id) c
    CROSS JOIN LATERAL {{ purchase_of_charge }} p
    WHERE NOT k.is_purchase
), billed AS (
    SELECT k.*, coalesce(i.id, '') AS invoice_id, coalesce(k.booked_currency, i.currency) AS currency,
           coalesce(k.booked_minor, CASE WHEN i.status <> 'void' AND o.id IS NULL
               AND sign(i.total_minor) = sign(i.from_balance_minor) THEN i.from_balance_minor ELSE 0 END)::numeric AS gross_minor,
           coalesce(i.total_minor, 0)::numeric AS total_minor, coalesce(i.tax_minor, 0)::numeric AS invoice_tax_minor
    FROM known k
    LEFT JOIN found ON k.is_purchase AND found.account_id = k.account_id AND found.subject_id = k.subject_id
    LEFT JOIN sold o ON NOT k.is_purchase AND o.id = k.subject_id
    LEFT JOIN reconciler.stripe_invoices i ON i.id = CASE WHEN NOT k.is_purchase THEN k.subject_id WHEN k.invoice_was <> '' THEN k.invoice_was ELSE found.id END
), charge AS MATERIALIZED (
    SELECT x.*, x.subject_id AS purchase_id, x.gross_minor - x.tax_minor AS net_minor
    FROM (SELECT b.*, CASE WHEN b.total_minor = 0 OR sign(b.invoice_tax_minor) <> sign(b.gross_minor) OR abs(b.invoice_tax_minor) > abs(b.total_minor) THEN 0
                           WHEN b.total_minor = b.gross_minor THEN b.invoice_tax_minor ELSE div(b.invoice_tax_minor * b.gross_minor, b.total_minor) END AS tax_minor
          FROM billed b) x
), refund AS MATERIALIZED (
    -- What refunds gave back beyond what was charged too much; one that failed gave nothing. In the currency that it was booked in, whichever it is in
    -- now.
    SELECT x.account_id, x.subject_id, x.gross_minor, x.net_minor, x.tax_minor, x.invoice_id, f.day,
           least(x.gross_minor, greatest(0, sum(f.amount) OVER o - paid.surplus)) AS returned,
           least(x.gross_minor, greatest(0, sum(f.amount) OVER o - f.amount - paid.surplus)) AS returned_was
    FROM charge x
    JOIN source.purchases p ON p.account_id = x.account_id AND p.id = x.subject_id
    CROSS JOIN LATERAL (SELECT n.* FROM (SELECT x.account_id, x.purchase_id, x.currency, x.gross_minor AS amount_minor) x CROSS JOIN LATERAL {{ purchase_now }} n) n
    CROSS JOIN LATERAL (SELECT array_agg(c.id) AS ids FROM {{ charges_of_purchase }} c) charges
    CROSS JOIN LATERAL (SELECT greatest(0, coalesce(sum(w.minor), 0) - x.gross_minor
                                           + {{ from_balance }}) AS surplus
                        FROM (SELECT t.* FROM reconciler.stripe_balance_transactions t
                              WHERE t.source_id = ANY (charges.ids) AND t.source_id <> '' AND t.reporting_category IN ('charge', 'charge_failure')
                              UNION ALL
                              SELECT t.* FROM reconciler.stripe_refunds r
                              JOIN reconciler.stripe_balance_transactions t ON t.source_id = r.id AND t.reporting_category = 'partial_capture_reversal'
                              WHERE r.charge_id = ANY (charges.ids)) t
                        CROSS JOIN LATERAL {{ presented }} o
                        CROSS JOIN LATERAL {{ as_booked }} w
                        WHERE t.created_at < @as_of::timestamptz) paid
    CROSS JOIN LATERAL (SELECT r.id, (min(t.created_at) AT TIME ZONE @zone::text)::date AS day, -sum(w.minor) AS amount
                        FROM reconciler.stripe_refunds r
                        JOIN reconciler.stripe_balance_transactions t ON t.source_id = r.id AND t.source_id <> '' AND t.reporting_category IN ('refund', 'refund_failure')
                        CROSS JOIN LATERAL {{ presented }} o
                        CROSS JOIN LATERAL {{ as_booked }} w
                        WHERE r.charge_id = ANY (charges.ids) AND t.created_at < @as_of::timestamptz
                          AND NOT EXISTS (SELECT FROM reconciler.stripe_late l WHERE l.id = t.id AND (l.booked_on IS NULL OR l.booked_on > @date::date))
                        GROUP BY r.id
                        HAVING sum(w.minor) < 0) f
    WHERE x.is_purchase AND x.may_be_refunded AND charges.ids IS NOT NULL
    WINDOW o AS (PARTITION BY x.account_id, x.subject_id ORDER BY f.day, f.amount, f.id)
), given AS MATERIALIZED (
    SELECT x.account_id, x.subject_id, x.day, x.returned, x.net_minor - e.earned AS whole,
           x.returned - x.returned_was - div(x.tax_minor * x.returned, x.gross_minor) + div(x.tax_minor * x.returned_was, x.gross_minor) AS net,
           row_number() OVER (PARTITION BY x.account_id, x.subject_id ORDER BY x.returned) AS no
    FROM refund x
    CROSS JOIN LATERAL (SELECT x.day) at
    CROSS JOIN LATERAL {{ subscription_earned }} e
    WHERE x.returned > x.returned_was
), rest AS (
    -- What each leaves of what was deferred, one after the other.
    SELECT g.account_id, g.subject_id, g.no, g.day, g.returned, g.whole, greatest(0, g.whole - g.net) AS rest FROM given g WHERE g.no = 1
    UNION ALL
    SELECT g.account_id, g.subject_id, g.no, g.day, g.returned, g.whole,
           greatest(0, CASE WHEN r.whole > 0 AND g.whole > 0 THEN div(r.rest * g.whole + r.whole - 1, r.whole) ELSE 0 END - g.net)
    FROM rest r
    JOIN given g ON g.account_id = r.account_id AND g.subject_id = r.subject_id AND g.no = r.no + 1
), recognized AS (
    SELECT x.account_id, x.subject_id, at.is_now, e.is_known, e.last_day, coalesce(g.returned, 0) AS given_back,
           x.tax_minor - CASE WHEN g.returned > 0 THEN div(x.tax_minor * g.returned, x.gross_minor) ELSE 0 END AS tax,
           CASE WHEN g.returned IS NULL THEN x.net_minor - e.earned
                WHEN g.whole > 0 AND x.net_minor > e.earned THEN div(g.rest * (x.net_minor - e.earned) + g.whole - 1, g.whole) ELSE 0 END AS deferred
    FROM charge x
    -- What was sold before the books began comes into them as it stood then.
    CROSS JOIN LATERAL (SELECT @date::date AS day, true AS is_now
                        UNION ALL
                        SELECT @begin_date::date - 1, false WHERE x.is_purchase AND NOT x.is_ours) at
    CROSS JOIN LATERAL {{ subscription_earned }} e
    LEFT JOIN LATERAL (SELECT g.* FROM rest g WHERE g.account_id = x.account_id AND g.subject_id = x.subject_id AND g.day <= at.day ORDER BY g.no DESC LIMIT 1) g ON true
)
SELECT x.account_id, @date::date, x.subject_id, x.invoice_id, x.currency, coalesce(b.deferred, 0),
       CASE WHEN x.is_ours OR NOT x.is_purchase THEN x.gross_minor ELSE 0 END, n.deferred, n.tax - coalesce(b.tax, 0),
       x.gross_minor - n.deferred - n.tax - n.given_back - CASE WHEN b.subject_id IS NULL THEN 0 ELSE x.gross_minor - b.deferred - b.tax - b.given_back END,
       n.given_back - coalesce(b.given_back, 0), x.is_purchase,
       CASE WHEN x.gross_minor = n.given_back THEN true WHEN n.is_known THEN n.last_day <= @date::date
            ELSE coalesce((SELECT p.booked_at < @begin::timestamptz - interval '366 days' FROM reconciler.booked_purchases p
                           WHERE p.account_id = x.account_id AND p.purchase_id = x.subject_id), false) END
FROM charge x
JOIN recognized n ON n.account_id = x.account_id AND n.subject_id = x.subject_id AND n.is_now
LEFT JOIN recognized b ON b.account_id = x.account_id AND b.subject_id = x.subject_id AND NOT b.is_now
-- What was over before the books began is no part of them.
WHERE NOT (b.subject_id IS NOT NULL AND b.deferred = 0 AND n.deferred = 0 AND n.given_back = b.given_back)
  AND NOT EXISTS (SELECT FROM reconciler.book_closings k WHERE k.business_date > @date::date AND k.books_begin < @end::timestamptz)
