-- What each capture took of charges that were captured in part or several times, in the charge's currency. Where the money reached the
-- balance in another one, what is not accounted for yet is spread over the new transactions by their amounts; what was noted stays.
-- A partial capture that left a reversal was posted whole, and needs none.
INSERT INTO reconciler.stripe_captures (charge_id, balance_transaction_id, captured_at, amount_minor)
WITH charge AS (
    SELECT c.id, c.amount_minor, c.captured_minor, c.currency
    FROM reconciler.stripe_charges c
    WHERE c.captured_minor > 0 AND c.captured_minor <> c.amount_minor
    UNION
    SELECT c.id, c.amount_minor, c.captured_minor, c.currency
    FROM reconciler.stripe_balance_transactions t
    JOIN reconciler.stripe_charges c ON c.id = t.source_id
    WHERE t.reporting_category = 'charge' AND t.created_at >= to_timestamp(@since::bigint) AND c.captured_minor > 0
      -- the last of several, too, however long ago those before it were
      AND (t.id <> c.balance_transaction_id OR EXISTS (SELECT FROM reconciler.stripe_captures k WHERE k.charge_id = c.id))
), known AS (
    SELECT k.charge_id, sum(k.amount_minor) AS amount_minor
    FROM reconciler.stripe_captures k
    WHERE k.charge_id IN (SELECT id FROM charge)
    GROUP BY 1
), fresh AS (
    SELECT c.id AS charge_id, t.id, t.created_at, t.amount_minor AS settled_minor, t.currency = c.currency AS is_same,
           c.captured_minor - coalesce(known.amount_minor, 0) AS left_minor,
           sum(t.amount_minor) OVER all_of AS settled_all,
           sum(t.amount_minor) OVER (all_of ORDER BY t.created_at, t.id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS settled_through
    FROM charge c
    LEFT JOIN known ON known.charge_id = c.id
    JOIN reconciler.stripe_balance_transactions t ON t.source_id = c.id AND t.reporting_category = 'charge'
    WHERE NOT EXISTS (SELECT FROM reconciler.stripe_captures k WHERE k.charge_id = c.id AND k.balance_transaction_id = t.id)
      AND NOT (t.currency = c.currency AND t.amount_minor = c.amount_minor)
      AND NOT EXISTS (SELECT FROM reconciler.stripe_refunds r
                      JOIN reconciler.stripe_balance_transactions b ON b.id = r.balance_transaction_id AND b.reporting_category = 'partial_capture_reversal'
                      WHERE r.charge_id = c.id)
    WINDOW all_of AS (PARTITION BY c.id)
)
SELECT charge_id, id, created_at,
       CASE WHEN is_same THEN settled_minor
            ELSE div(2 * left_minor * settled_through + settled_all, 2 * settled_all)
                 - div(2 * left_minor * (settled_through - settled_minor) + settled_all, 2 * settled_all) END
FROM fresh
WHERE left_minor > 0 AND settled_all > 0
ON CONFLICT DO NOTHING
