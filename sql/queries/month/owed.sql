-- What was sold before day @day_after, which begins at @begin, by the month that it was booked in, less tax, and what of it was refunded, and is
-- still owed. What an invoice without a purchase moves between a subscription and the customer's balance counts as sold, or taken back, in the month
-- that first knows of it. Lots are worth what the books say of them (books/take_lots), a subscription without credits what its last position
-- says, in the books that night @date belongs to.
WITH a AS MATERIALIZED (SELECT DISTINCT b.account_id FROM reconciler.booked_purchases b WHERE b.booked_at < @begin::timestamptz AND (b.kind = 'credits' OR b.credits > 0)),
{{ stood_before }}, account AS MATERIALIZED (SELECT s.account_id, s.net_usage AS net FROM stood s),
item AS (
    SELECT e.account_id,
           CASE WHEN e.kind IN ('purchase', 'refund', 'refund_reversal') THEN 'purchase' ELSE e.kind END AS lot_kind,
           CASE WHEN e.kind IN ('purchase', 'refund', 'refund_reversal') THEN coalesce(e.purchase_id, e.id) ELSE e.id END AS lot_id,
           CASE WHEN e.kind IN ('refund', 'refund_reversal') THEN 0 ELSE e.credits END AS granted,
           CASE WHEN e.kind IN ('refund', 'refund_reversal') THEN e.credits ELSE 0 END AS refunded,
           CASE WHEN e.kind IN ('refund', 'refund_reversal') THEN NULL ELSE e.created_at END AS granted_at,
           NULL::numeric AS amount_minor, NULL::text AS currency, NULL::text AS purchase_kind, NULL::timestamptz AS booked_at
    FROM account m
    JOIN source.credit_entries e ON e.account_id = m.account_id
    LEFT JOIN reconciler.late_items l ON l.account_id = e.account_id AND l.entry_id = e.id
    WHERE coalesce(l.booked_at, e.created_at) < @begin::timestamptz
      AND e.kind IN ('purchase', 'promo', 'adjustment', 'refund', 'refund_reversal')
      AND (e.kind <> 'adjustment' OR e.credits > 0)
      AND {{ entry_is_valid }}
    UNION ALL
    SELECT p.account_id, 'purchase', p.purchase_id, 0, 0, NULL, p.amount_minor::numeric - p.tax_minor, p.currency, p.kind, p.booked_at
    FROM reconciler.booked_purchases p
    WHERE p.booked_at < @begin::timestamptz AND (p.kind = 'credits' OR p.credits > 0)
), lot AS (
    SELECT account_id, lot_kind, lot_id, min(granted_at) AS at, sum(granted) AS credits, sum(refunded) AS refunded,
           max(amount_minor) AS amount_minor, max(currency) AS currency, max(purchase_kind) AS purchase_kind, max(booked_at) AS booked_at
    FROM item GROUP BY 1, 2, 3
), used AS (
    SELECT lot.*, greatest(0, least(credits, m.net
               - coalesce(sum(CASE WHEN refunded < 0 THEN 0 ELSE credits END)
                          OVER (PARTITION BY account_id ORDER BY at, lot_id COLLATE "C", lot_kind COLLATE "C" ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0))) AS used
    FROM lot JOIN account m USING (account_id)
), subscription AS (
    SELECT DISTINCT ON (p.account_id, p.subject_id) p.account_id, p.subject_id, p.currency, p.opened_minor + p.settled_minor - p.tax_minor AS sold, p.given_back_minor AS refunded,
           p.deferred_minor AS remaining,
           -- An invoice that no purchase names changes what is sold in the month that first knows of it.
           CASE WHEN NOT p.is_purchase AND p.opened_minor = 0 THEN to_char(min(p.business_date) OVER (PARTITION BY p.account_id, p.subject_id), 'YYYY-MM') END AS invoiced
    FROM {{ books_of }} k
    JOIN reconciler.subscription_positions p ON p.business_date = k.business_date
    WHERE p.business_date < @day_after::date
    ORDER BY p.account_id, p.subject_id, p.business_date DESC
), unearned AS ( -- booked before positions were kept
    SELECT l.account_id, l.source AS subject_id, l.currency, -sum(l.amount_minor) AS sold, 0 AS refunded, -sum(l.amount_minor) AS remaining, NULL AS invoiced
    FROM {{ books_of }} k
    JOIN reconciler.journal_lines l ON l.business_date = k.business_date
    WHERE l.business_date < @day_after::date AND l.role = 'subscription_liability' AND l.source <> ''
      AND NOT EXISTS (SELECT FROM subscription s WHERE s.subject_id = l.source)
    GROUP BY 1, 2, 3
)
SELECT sold_month, kind, currency, sum(sold) AS sold, sum(refunded) AS refunded, sum(remaining) AS remaining
FROM (SELECT to_char(u.booked_at AT TIME ZONE @zone::text, 'YYYY-MM') AS sold_month, u.purchase_kind AS kind, u.currency, u.amount_minor AS sold,
             CASE WHEN u.refunded < 0 THEN u.amount_minor ELSE 0 END AS refunded,
             CASE WHEN u.refunded < 0 THEN 0 ELSE u.amount_minor - div(u.amount_minor * u.used, greatest(u.credits, 1)) END AS remaining
      FROM used u WHERE u.currency IS NOT NULL
      UNION ALL
      SELECT coalesce(to_char(b.booked_at AT TIME ZONE @zone::text, 'YYYY-MM'), s.invoiced, ''), 'subscription', s.currency, s.sold, s.refunded, s.remaining
      FROM (SELECT * FROM subscription UNION ALL SELECT * FROM unearned) s
      LEFT JOIN reconciler.booked_purchases b ON b.account_id = s.account_id AND b.purchase_id = s.subject_id) x
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3
