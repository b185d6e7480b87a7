-- What the accounts of roles @roles held at the end of night @date, item by item: purchases with their charges and refunds, charges and refunds
-- that no purchase names, disputes, payouts, transactions that no rule knows, customers, months of tax. What was posted for one thing is one item
-- for as long as it doesn't add up to 0. Charges are posted as sums: they are taken apart into the balance transactions that the night booked.
WITH nights AS MATERIALIZED (
    SELECT k.business_date, k.books_begin, k.stripe_from, k.stripe_through,
           -- The night that opens the balance at Stripe has what is from before the books in that.
           k.stripe_opened AND NOT coalesce(p.stripe_opened, false) AS opens
    FROM reconciler.book_closings k
    LEFT JOIN reconciler.book_closings p ON p.business_date = k.business_date - 1 AND p.books_begin = k.books_begin
    WHERE k.business_date <= @date::date
      AND k.books_begin = (SELECT l.books_begin FROM reconciler.book_closings l WHERE l.business_date = @date::date)
), lines AS MATERIALIZED (
    SELECT l.business_date, l.kind, l.role, l.currency, l.source, l.account_id, l.amount_minor
    FROM nights k JOIN reconciler.journal_lines l ON l.business_date = k.business_date
    WHERE l.role = ANY (@roles::text[])
), booked AS (
    SELECT k.business_date, t.*
    FROM nights k
    JOIN reconciler.stripe_balance_transactions t ON t.created_at >= k.stripe_from AND t.created_at < k.stripe_through
    WHERE NOT EXISTS (SELECT FROM reconciler.stripe_late x WHERE x.id = t.id AND x.booked_on IS DISTINCT FROM k.business_date)
    UNION ALL
    SELECT k.business_date, t.*
    FROM nights k
    JOIN reconciler.stripe_late x ON x.booked_on = k.business_date AND x.created_at < k.stripe_from AND (x.created_at >= k.books_begin OR NOT k.opens)
    JOIN reconciler.stripe_balance_transactions t ON t.id = x.id
), summed AS (
    SELECT t.business_date, coalesce(r.role, 'stripe_suspense') AS role, o.currency, -o.minor::numeric AS amount, t.id, t.source_id
    FROM booked t
    LEFT JOIN unnest(@categories::text[], @category_roles::text[]) AS r (category, role) ON r.category = t.reporting_category
    CROSS JOIN LATERAL {{ presented }} o
    WHERE coalesce(r.role, 'stripe_suspense') = ANY (@roles::text[]) AND NOT EXISTS (SELECT FROM lines l WHERE l.source = t.id)
), charges AS MATERIALIZED (
    SELECT c.id, c.payment_intent_id, c.invoice_id, c.metadata_purchase_id FROM reconciler.stripe_charges c WHERE c.created_at < @as_of::timestamptz
), purchases AS MATERIALIZED (
    SELECT p.id, p.account_id, p.stripe_charge_id, p.stripe_payment_intent_id, p.stripe_invoice_id
    FROM source.purchases p WHERE {{ purchase_is_valid }} AND p.created_at < @as_of::timestamptz
), links AS MATERIALIZED ( -- as fragment purchase_of_charge, for all charges at once
    SELECT DISTINCT ON (charge_id) charge_id, purchase_id, account_id
    FROM (SELECT c.id AS charge_id, p.id AS purchase_id, p.account_id, 1 AS link FROM charges c JOIN purchases p ON p.stripe_charge_id = c.id
          UNION ALL
          SELECT c.id, p.id, p.account_id, 2 FROM charges c JOIN purchases p ON p.stripe_payment_intent_id = c.payment_intent_id WHERE c.payment_intent_id <> ''
          UNION ALL
          SELECT c.id, p.id, p.account_id, 3 FROM charges c JOIN purchases p ON p.stripe_invoice_id = c.invoice_id WHERE c.invoice_id <> ''
          UNION ALL
          SELECT c.id, p.id, p.account_id, 4 FROM charges c JOIN purchases p ON p.id = c.metadata_purchase_id WHERE c.metadata_purchase_id <> '') found
    ORDER BY charge_id, link, purchase_id
), postings AS (
    -- What the journal says by itself of what a line is about.
    SELECT l.business_date, l.role, l.currency, CASE l.kind WHEN @cleared::text THEN 'cleared' WHEN @activity::text THEN 'stripe' ELSE 'booked' END AS part,
           CASE l.role WHEN 'customer_balances' THEN coalesce(nullif(l.account_id, ''), nullif(l.source, ''), 'opening')
                       WHEN 'tax_payable' THEN to_char(l.business_date, 'YYYY-MM') -- as it is declared
                       ELSE coalesce(nullif(t.source_id, ''), t.id, l.source) END AS object_id,
           CASE l.role WHEN 'tax_payable' THEN '' ELSE l.account_id END AS account_id, l.amount_minor AS amount
    FROM lines l
    LEFT JOIN reconciler.stripe_balance_transactions t ON l.kind = @activity::text AND t.id = l.source
    WHERE l.source <> '' OR l.role IN ('customer_balances', 'tax_payable')
    UNION ALL
    SELECT s.business_date, s.role, s.currency, 'stripe', CASE WHEN s.role = 'stripe_suspense' OR s.source_id = '' THEN s.id ELSE s.source_id END, '', s.amount
    FROM summed s
), named AS MATERIALIZED (
    SELECT p.business_date, p.role, p.currency, p.part, p.object_id, p.amount,
           coalesce(nullif(p.account_id, ''), k.account_id, dk.account_id, '') AS account_id,
           coalesce(k.purchase_id, f.charge_id, p.object_id) AS item_id,
           CASE WHEN k.purchase_id IS NOT NULL THEN 'purchase'
                WHEN f.charge_id IS NOT NULL OR c.id IS NOT NULL THEN 'charge'
                ELSE CASE p.role WHEN 'purchase_clearing' THEN 'purchase' WHEN 'refund_clearing' THEN CASE p.part WHEN 'stripe' THEN 'refund' ELSE 'purchase' END
                                 WHEN 'disputes_receivable' THEN 'dispute' WHEN 'payouts_in_transit' THEN 'payout'
                                 WHEN 'customer_balances' THEN 'account' WHEN 'tax_payable' THEN 'month' ELSE 'balance_transaction' END
           END AS item_type
    FROM postings p
    LEFT JOIN reconciler.stripe_refunds f ON p.role IN ('purchase_clearing', 'refund_clearing') AND f.id = p.object_id AND f.charge_id <> ''
    LEFT JOIN charges c ON p.role IN ('purchase_clearing', 'refund_clearing') AND c.id = coalesce(f.charge_id, p.object_id)
    LEFT JOIN links k ON k.charge_id = c.id
    LEFT JOIN reconciler.stripe_disputes d ON p.role = 'disputes_receivable' AND d.id = p.object_id
    LEFT JOIN links dk ON dk.charge_id = d.charge_id
), items AS (
    SELECT role, currency, item_type, item_id, max(account_id) AS account_id, sum(amount) AS amount,
           coalesce(sum(amount) FILTER (WHERE part = 'booked'), 0) AS booked, coalesce(sum(amount) FILTER (WHERE part = 'stripe'), 0) AS at_stripe,
           coalesce(sum(amount) FILTER (WHERE part = 'cleared'), 0) AS cleared,
           array_agg(DISTINCT object_id COLLATE "C") AS objects
    FROM named GROUP BY 1, 2, 3, 4
    HAVING sum(amount) <> 0
), days AS (
    SELECT n.role, n.currency, n.item_type, n.item_id, n.business_date,
           sum(sum(n.amount)) OVER (PARTITION BY n.role, n.currency, n.item_type, n.item_id ORDER BY n.business_date) AS held
    FROM named n JOIN items i USING (role, currency, item_type, item_id)
    GROUP BY 1, 2, 3, 4, 5
), since AS (
    -- Open since it last didn't add up to 0: what was settled and then opened again is as old as that.
    SELECT role, currency, item_type, item_id, min(business_date) AS opened_on
    FROM (SELECT d.*, max(business_date) FILTER (WHERE held = 0) OVER (PARTITION BY role, currency, item_type, item_id) AS settled_on FROM days d) d
    WHERE settled_on IS NULL OR business_date > settled_on
    GROUP BY 1, 2, 3, 4
)
SELECT i.role, i.currency, i.item_type, i.item_id, i.account_id, s.opened_on, @date::date - s.opened_on AS age_days, i.amount,
       i.booked, i.at_stripe, i.cleared,
       coalesce((SELECT string_agg(o.id, ' ' ORDER BY o.id COLLATE "C") FROM unnest(i.objects) AS o (id) WHERE o.id <> i.item_id), '') AS objects,
       coalesce(b.break_id, '') AS break_id, coalesce(b.kind, '') AS break_kind, coalesce(d.status, '') AS dispute_status
FROM items i
JOIN since s USING (role, currency, item_type, item_id)
LEFT JOIN {{ disputes_as_of }} d ON i.item_type = 'dispute' AND d.id = i.item_id
LEFT JOIN LATERAL (
    SELECT b.break_id, b.kind FROM reconciler.breaks b
    WHERE b.subject_id = ANY (i.objects || i.item_id) AND b.subject_type IN ('purchase', 'charge', 'refund', 'dispute', 'payout', 'balance_transaction')
      AND b.opened_on <= @date::date AND (b.closed_on IS NULL OR b.closed_on > @date::date) AND {{ newest_episode }}
    ORDER BY array_position(ARRAY['error', 'warning', 'info'], b.severity), b.opened_on, b.break_id COLLATE "C"
    LIMIT 1) b ON i.role NOT IN ('customer_balances', 'tax_payable')
ORDER BY i.role, i.currency, i.item_type, i.item_id COLLATE "C"
