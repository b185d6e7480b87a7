-- Positions of the accounts that moved, the value of their lots through the night, and the lots that a refund took out or brought back.
-- Returns what is left in the lots of these accounts in credits, at opening and at closing: what wasn't used, less what was overdrawn,
-- with a surplus of credit-backs, what a refund left of its lot, and refunds that name no lot; and how many lots a refund took out or brought back.
WITH lots AS MATERIALIZED (SELECT * FROM {{ lots_through_night }} l),
by_account AS (
    SELECT account_id,
           sum(CASE WHEN refunded_0 < 0 THEN 0 ELSE credits_0 - used_0 END) + sum(CASE WHEN refunded_0 < 0 THEN credits_0 ELSE 0 END + refunded_0) AS left_0,
           sum(CASE WHEN refunded_6 < 0 THEN 0 ELSE credits_6 - used_6 END) + sum(CASE WHEN refunded_6 < 0 THEN credits_6 ELSE 0 END + refunded_6) AS left_6,
           sum(used_0) AS used_0, sum(used_6) AS used_6
    FROM lots GROUP BY 1
), position AS MATERIALIZED (
    SELECT m.account_id, m.net_after,
           coalesce(b.left_0, 0) - greatest(0, m.net_before - coalesce(b.used_0, 0)) + greatest(0, -m.net_before) AS opening,
           coalesce(b.left_6, 0) - greatest(0, m.net_after - coalesce(b.used_6, 0)) + greatest(0, -m.net_after) AS closing
    FROM (SELECT account_id, net_before, net_before + taken + usage - credit_backs + late_net AS net_after
          FROM reconciler.account_moves WHERE business_date = @date::date) m
    LEFT JOIN by_account b ON b.account_id = m.account_id
), positions AS (
    INSERT INTO reconciler.account_positions (account_id, business_date, as_of, net_usage, credits)
    SELECT account_id, @date::date, @end::timestamptz, net_after, closing FROM position
), steps AS (
    INSERT INTO reconciler.liability_steps (business_date, currency, opening, purchased, after_lots, after_refunds, after_adjustments,
                                            after_usage, after_credit_backs, closing, late_purchased)
    SELECT @date::date, currency, sum(value_0), coalesce(sum(amount_minor) FILTER (WHERE booked_step = 1), 0), sum(value_1), sum(value_2), sum(value_3),
           sum(value_4), sum(value_5), sum(value_6), coalesce(sum(amount_minor) FILTER (WHERE booked_step = 6), 0)
    FROM lots WHERE currency IS NOT NULL
    GROUP BY currency
), refunded AS MATERIALIZED (
    SELECT account_id, lot_id, currency, amount_minor, CASE WHEN refunded_2 < 0 THEN -1 ELSE 1 END AS direction, false AS is_late, value_1 AS value_before, value_2 AS value_after
    FROM lots WHERE booked_step <= 1 AND (refunded_0 < 0) <> (refunded_2 < 0)
    UNION ALL
    SELECT account_id, lot_id, currency, amount_minor, CASE WHEN refunded_6 < 0 THEN -1 ELSE 1 END, true, value_5, value_6
    FROM lots WHERE booked_step IS NOT NULL AND (refunded_2 < 0) <> (refunded_6 < 0)
), taken AS (
    INSERT INTO reconciler.refunded_lots (account_id, business_date, purchase_id, currency, amount_minor, direction, is_late, value_before, value_after)
    SELECT account_id, @date::date, lot_id, currency, amount_minor, direction, is_late, value_before, value_after FROM refunded
)
SELECT count(*) AS accounts, coalesce(sum(opening), 0) AS opening, coalesce(sum(closing), 0) AS closing, (SELECT count(*) FROM refunded) AS refunded
FROM position
