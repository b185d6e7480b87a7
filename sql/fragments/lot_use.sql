-- How the net usage of accounts draws on their lots, first in, first out (clause 2.3): as of @begin (opening) and as of @as_of (closing). The
-- statement says which in a common table expression account (account_id, net_opening, net_closing). One row per lot and per completed
-- purchase. A lot is a purchase, a promotional grant or a positive adjustment; one that was refunded leaves the order. Entries and purchases
-- are folded into one grouping instead of joined, and of the entries only those that make lots are read: an account with a million debits
-- costs no more than another.
(WITH item AS (
    SELECT e.account_id,
           {{ lot_kind }} AS lot_kind,
           {{ lot_id }} AS lot_id,
           e.kind, e.credits, e.created_at, coalesce(l.booked_at, e.created_at) < @begin::timestamptz AS at_opening,
           NULL::timestamptz AS completed_at, NULL::bigint AS purchased, NULL::bigint AS amount_minor, NULL::text AS currency, NULL::text AS purchase_kind
    FROM account a
    JOIN source.credit_entries e ON e.account_id = a.account_id
    LEFT JOIN reconciler.late_items l ON l.account_id = e.account_id AND l.entry_id = e.id
    WHERE {{ is_of_lot }}
      AND coalesce(l.booked_at, e.created_at) < @as_of::timestamptz AND {{ entry_is_valid }}
    UNION ALL
    SELECT p.account_id, 'purchase', p.id, '', 0, NULL, false, p.completed_at, p.credits, p.amount_minor, p.currency, p.kind
    FROM account a
    JOIN {{ valid_purchases }} p ON p.account_id = a.account_id
    WHERE p.status = 'completed' AND p.completed_at < @as_of::timestamptz
 ), lot AS (
    SELECT account_id, lot_kind, lot_id,
           min(created_at) FILTER (WHERE kind IN ('purchase', 'promo', 'adjustment') AND at_opening) AS granted_opening,
           min(created_at) FILTER (WHERE kind IN ('purchase', 'promo', 'adjustment')) AS granted_closing,
           coalesce(sum(credits) FILTER (WHERE kind IN ('purchase', 'promo', 'adjustment') AND at_opening), 0) AS credits_opening,
           coalesce(sum(credits) FILTER (WHERE kind IN ('purchase', 'promo', 'adjustment')), 0) AS credits_closing,
           coalesce(sum(credits) FILTER (WHERE kind IN ('refund', 'refund_reversal') AND at_opening), 0) AS refunded_opening,
           coalesce(sum(credits) FILTER (WHERE kind IN ('refund', 'refund_reversal')), 0) AS refunded_closing,
           max(completed_at) AS completed_at, max(purchased) AS purchased, max(amount_minor) AS amount_minor, max(currency) AS currency,
           max(purchase_kind) AS purchase_kind
    FROM item
    GROUP BY 1, 2, 3
 ), ordered AS (
    SELECT lot.*, a.net_opening, a.net_closing,
           coalesce(sum(CASE WHEN refunded_opening < 0 THEN 0 ELSE credits_opening END)
                    OVER (PARTITION BY a.account_id ORDER BY granted_opening, {{ lots_before }}), 0) AS before_opening,
           coalesce(sum(CASE WHEN refunded_closing < 0 THEN 0 ELSE credits_closing END)
                    OVER (PARTITION BY a.account_id ORDER BY granted_closing, {{ lots_before }}), 0) AS before_closing
    FROM lot
    JOIN account a ON a.account_id = lot.account_id
 )
 SELECT account_id, lot_kind, lot_id, granted_closing AS granted_at, credits_opening, credits_closing,
        refunded_opening, refunded_closing, net_opening, net_closing,
        CASE WHEN refunded_opening < 0 THEN 0 ELSE greatest(0, least(credits_opening, net_opening - before_opening)) END AS used_opening,
        CASE WHEN refunded_closing < 0 THEN 0 ELSE greatest(0, least(credits_closing, net_closing - before_closing)) END AS used_closing,
        completed_at, purchased, amount_minor, currency, purchase_kind
 FROM ordered)
