-- How the net usage of the accounts in @accounts draws on their lots, first in, first out (clause 2.3): as of @begin (opening) and as of @as_of
-- (closing). One row per lot and per completed purchase. A lot is a purchase, a promotional grant or a positive adjustment; one that was
-- refunded leaves the order; negative adjustments count as usage. Entries and purchases are folded into one grouping instead of joined:
-- an account with a million rows, or statistics that know nothing of it, cost a sort and never a nested loop.
(WITH item AS (
    SELECT e.account_id,
           CASE WHEN e.kind IN ('purchase', 'refund', 'refund_reversal') THEN 'purchase'
                WHEN e.kind = 'promo' OR e.kind = 'adjustment' AND e.credits > 0 THEN e.kind ELSE 'usage' END AS lot_kind,
           CASE WHEN e.kind = 'purchase' THEN coalesce(e.purchase_id, e.id)
                WHEN e.kind IN ('refund', 'refund_reversal') THEN coalesce(e.purchase_id, e.id)
                WHEN e.kind = 'promo' OR e.kind = 'adjustment' AND e.credits > 0 THEN e.id ELSE '' END AS lot_id,
           e.kind, e.credits, e.created_at, e.effective_at < @begin::timestamptz AS at_opening,
           NULL::timestamptz AS completed_at, NULL::bigint AS purchased, NULL::bigint AS amount_minor, NULL::text AS currency, NULL::text AS purchase_kind
    FROM {{ entries }} e
    WHERE e.account_id = ANY (@accounts::text[]) AND e.effective_at < @as_of::timestamptz
    UNION ALL
    SELECT p.account_id, 'purchase', p.id, '', 0, NULL, false, p.completed_at, p.credits, p.amount_minor, p.currency, p.kind
    FROM {{ valid_purchases }} p
    WHERE p.account_id = ANY (@accounts::text[]) AND p.status = 'completed' AND p.completed_at < @as_of::timestamptz
 ), lot AS (
    SELECT account_id, lot_kind, lot_id,
           min(created_at) FILTER (WHERE kind IN ('purchase', 'promo', 'adjustment') AND at_opening) AS granted_opening,
           min(created_at) FILTER (WHERE kind IN ('purchase', 'promo', 'adjustment')) AS granted_closing,
           coalesce(sum(credits) FILTER (WHERE kind IN ('purchase', 'promo', 'adjustment') AND at_opening), 0) AS credits_opening,
           coalesce(sum(credits) FILTER (WHERE kind IN ('purchase', 'promo', 'adjustment')), 0) AS credits_closing,
           coalesce(sum(credits) FILTER (WHERE kind IN ('refund', 'refund_reversal') AND at_opening), 0) AS refunded_opening,
           coalesce(sum(credits) FILTER (WHERE kind IN ('refund', 'refund_reversal')), 0) AS refunded_closing,
           coalesce(-sum(credits) FILTER (WHERE lot_kind = 'usage' AND at_opening), 0) AS usage_opening,
           coalesce(-sum(credits) FILTER (WHERE lot_kind = 'usage'), 0) AS usage_closing,
           max(completed_at) AS completed_at, max(purchased) AS purchased, max(amount_minor) AS amount_minor, max(currency) AS currency,
           max(purchase_kind) AS purchase_kind
    FROM item
    GROUP BY 1, 2, 3
 ), ordered AS (
    SELECT lot.*,
           sum(usage_opening) OVER (PARTITION BY account_id) AS net_opening,
           sum(usage_closing) OVER (PARTITION BY account_id) AS net_closing,
           coalesce(sum(CASE WHEN lot_kind = 'usage' OR refunded_opening < 0 THEN 0 ELSE credits_opening END)
                    OVER (PARTITION BY account_id ORDER BY granted_opening, lot_id COLLATE "C", lot_kind COLLATE "C"
                          ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before_opening,
           coalesce(sum(CASE WHEN lot_kind = 'usage' OR refunded_closing < 0 THEN 0 ELSE credits_closing END)
                    OVER (PARTITION BY account_id ORDER BY granted_closing, lot_id COLLATE "C", lot_kind COLLATE "C"
                          ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before_closing
    FROM lot
 )
 SELECT account_id, lot_kind, lot_id, granted_closing AS granted_at, credits_opening, credits_closing,
        refunded_opening, refunded_closing, net_opening, net_closing,
        CASE WHEN refunded_opening < 0 THEN 0 ELSE greatest(0, least(credits_opening, net_opening - before_opening)) END AS used_opening,
        CASE WHEN refunded_closing < 0 THEN 0 ELSE greatest(0, least(credits_closing, net_closing - before_closing)) END AS used_closing,
        completed_at, purchased, amount_minor, currency, purchase_kind
 FROM ordered
 WHERE lot_kind <> 'usage')
