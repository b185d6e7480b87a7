-- Positions of the accounts that moved, the value of their lots through the night, and the lots that a refund took out or brought back.
-- Returns what these accounts have left in credits, at opening and at closing, and how many lots a refund took out or brought back. What is left is
-- what was granted less what was taken back and used, whichever lots it was used of: what has been overdrawn makes it negative.
--
-- Lots are used first in, first out (clause 2.3), step by step through the night: 0 as of opening, 1 with the night's grants, 2 with its refunds, 3 with
-- negative adjustments, 4 with usage, 5 with credit-backs, 6 with late items. Only grants and refunds are read from the ledger; usage comes as sums per
-- account. A lot that was refunded leaves the order. What is paid for a lot, tax aside, is worth as much of it as is left, rounded cumulatively; a
-- purchase that no credits have been granted for yet is owed in full.
WITH item AS (
    SELECT e.account_id,
           {{ lot_kind }} AS lot_kind,
           {{ lot_id }} AS lot_id,
           CASE WHEN e.kind IN ('refund', 'refund_reversal') THEN 0 ELSE e.credits END AS granted,
           CASE WHEN e.kind IN ('refund', 'refund_reversal') THEN e.credits ELSE 0 END AS refunded,
           CASE WHEN e.kind IN ('refund', 'refund_reversal') THEN NULL ELSE e.created_at END AS granted_at,
           CASE WHEN coalesce(l.booked_at, e.created_at) < @begin::timestamptz THEN 0
                WHEN l.entry_id IS NOT NULL THEN 6
                WHEN e.kind IN ('refund', 'refund_reversal') THEN 2 ELSE 1 END AS step,
           NULL::bigint AS amount_minor, NULL::text AS currency, NULL::integer AS booked_step
    FROM reconciler.account_moves m
    JOIN source.credit_entries e ON e.account_id = m.account_id
    LEFT JOIN reconciler.late_items l ON l.account_id = e.account_id AND l.entry_id = e.id
    WHERE m.business_date = @date::date AND coalesce(l.booked_at, e.created_at) < @end::timestamptz
      AND {{ is_of_lot }}
      AND {{ entry_is_valid }}
    UNION ALL
    SELECT p.account_id, 'purchase', p.purchase_id, 0, 0, NULL, 0, p.amount_minor - p.tax_minor, p.currency,
           CASE WHEN p.booked_at < @begin::timestamptz THEN 0 WHEN p.is_late THEN 6 ELSE 1 END
    FROM reconciler.account_moves m
    JOIN reconciler.booked_purchases p ON p.account_id = m.account_id
    WHERE m.business_date = @date::date AND p.booked_at < @end::timestamptz AND (p.kind = 'credits' OR p.credits > 0)
), lot AS MATERIALIZED (
    SELECT account_id, lot_kind, lot_id,
           min(granted_at) FILTER (WHERE step <= 1) AS at_1, min(granted_at) AS at_6,
           coalesce(sum(granted) FILTER (WHERE step = 0), 0) AS credits_0,
           coalesce(sum(granted) FILTER (WHERE step <= 1), 0) AS credits_1,
           sum(granted) AS credits_6,
           coalesce(sum(refunded) FILTER (WHERE step = 0), 0) AS refunded_0,
           coalesce(sum(refunded) FILTER (WHERE step <= 2), 0) AS refunded_2,
           sum(refunded) AS refunded_6,
           max(amount_minor)::numeric AS amount_minor, max(currency) AS currency, max(booked_step) AS booked_step
    FROM item
    GROUP BY 1, 2, 3
), position AS MATERIALIZED ( -- grouped, not joined: where plans are kept the planner knows of few accounts, and would compare each with all
    SELECT account_id, max(net_after) AS net_after, sum(granted_0) - max(net_before) AS opening, sum(granted_6) - max(net_after) AS closing
    FROM (SELECT account_id, net_before, net_before + taken + usage - credit_backs + late_net AS net_after, 0 AS granted_0, 0 AS granted_6
          FROM reconciler.account_moves WHERE business_date = @date::date
          UNION ALL
          SELECT account_id, NULL, NULL, credits_0 + refunded_0, credits_6 + refunded_6 FROM lot) x
    GROUP BY 1
), ordered AS (
    SELECT lot.*, m.net_before, m.taken, m.usage, m.credit_backs, m.late_net,
           -- In the order of step 1 too, which is the same for all lots that have credits at opening.
           coalesce(sum(CASE WHEN refunded_0 < 0 THEN 0 ELSE credits_0 END)
                    OVER (PARTITION BY m.account_id ORDER BY at_1, {{ lots_before }}), 0) AS before_0,
           coalesce(sum(CASE WHEN refunded_0 < 0 THEN 0 ELSE credits_1 END)
                    OVER (PARTITION BY m.account_id ORDER BY at_1, {{ lots_before }}), 0) AS before_1,
           coalesce(sum(CASE WHEN refunded_2 < 0 THEN 0 ELSE credits_1 END)
                    OVER (PARTITION BY m.account_id ORDER BY at_1, {{ lots_before }}), 0) AS before_2,
           coalesce(sum(CASE WHEN refunded_6 < 0 THEN 0 ELSE credits_6 END)
                    OVER (PARTITION BY m.account_id ORDER BY at_6, {{ lots_before }}), 0) AS before_6
    FROM lot
    JOIN reconciler.account_moves m ON m.account_id = lot.account_id AND m.business_date = @date::date
), used AS (
    SELECT ordered.*,
           greatest(0, least(credits_0, net_before - before_0)) AS used_0,
           greatest(0, least(credits_1, net_before - before_1)) AS used_1,
           greatest(0, least(credits_1, net_before - before_2)) AS used_2,
           greatest(0, least(credits_1, net_before + taken - before_2)) AS used_3,
           greatest(0, least(credits_1, net_before + taken + usage - before_2)) AS used_4,
           greatest(0, least(credits_1, net_before + taken + usage - credit_backs - before_2)) AS used_5,
           greatest(0, least(credits_6, net_before + taken + usage - credit_backs + late_net - before_6)) AS used_6
    FROM ordered
    WHERE currency IS NOT NULL
), valued AS MATERIALIZED (
    SELECT account_id, lot_id, refunded_0, refunded_2, refunded_6, amount_minor, currency, booked_step,
           CASE WHEN booked_step > 0 OR refunded_0 < 0 THEN 0 ELSE amount_minor - div(amount_minor * used_0, greatest(credits_0, 1)) END::bigint AS value_0,
           CASE WHEN booked_step > 1 OR refunded_0 < 0 THEN 0 ELSE amount_minor - div(amount_minor * used_1, greatest(credits_1, 1)) END::bigint AS value_1,
           CASE WHEN booked_step > 1 OR refunded_2 < 0 THEN 0 ELSE amount_minor - div(amount_minor * used_2, greatest(credits_1, 1)) END::bigint AS value_2,
           CASE WHEN booked_step > 1 OR refunded_2 < 0 THEN 0 ELSE amount_minor - div(amount_minor * used_3, greatest(credits_1, 1)) END::bigint AS value_3,
           CASE WHEN booked_step > 1 OR refunded_2 < 0 THEN 0 ELSE amount_minor - div(amount_minor * used_4, greatest(credits_1, 1)) END::bigint AS value_4,
           CASE WHEN booked_step > 1 OR refunded_2 < 0 THEN 0 ELSE amount_minor - div(amount_minor * used_5, greatest(credits_1, 1)) END::bigint AS value_5,
           CASE WHEN refunded_6 < 0 THEN 0 ELSE amount_minor - div(amount_minor * used_6, greatest(credits_6, 1)) END::bigint AS value_6
    FROM used
), positions AS (
    INSERT INTO reconciler.account_positions (account_id, business_date, as_of, net_usage, credits)
    SELECT account_id, @date::date, @end::timestamptz, net_after, closing FROM position
), steps AS (
    INSERT INTO reconciler.liability_steps (business_date, currency, opening, purchased, after_lots, after_refunds, after_adjustments,
                                            after_usage, after_credit_backs, closing, late_purchased)
    SELECT @date::date, currency, sum(value_0), coalesce(sum(amount_minor) FILTER (WHERE booked_step = 1), 0), sum(value_1), sum(value_2), sum(value_3),
           sum(value_4), sum(value_5), sum(value_6), coalesce(sum(amount_minor) FILTER (WHERE booked_step = 6), 0)
    FROM valued
    GROUP BY currency
), refunded AS MATERIALIZED (
    SELECT account_id, lot_id, currency, amount_minor, CASE WHEN refunded_2 < 0 THEN -1 ELSE 1 END AS direction, false AS is_late, value_1 AS value_before, value_2 AS value_after
    FROM valued WHERE booked_step <= 1 AND (refunded_0 < 0) <> (refunded_2 < 0)
    UNION ALL
    SELECT account_id, lot_id, currency, amount_minor, CASE WHEN refunded_6 < 0 THEN -1 ELSE 1 END, true, value_5, value_6
    FROM valued WHERE (refunded_2 < 0) <> (refunded_6 < 0)
), taken AS (
    INSERT INTO reconciler.refunded_lots (account_id, business_date, purchase_id, currency, amount_minor, direction, is_late, value_before, value_after)
    SELECT account_id, @date::date, lot_id, currency, amount_minor, direction, is_late, value_before, value_after FROM refunded
)
SELECT count(*) AS accounts, coalesce(sum(opening), 0) AS opening, coalesce(sum(closing), 0) AS closing, (SELECT count(*) FROM refunded) AS refunded
FROM position
