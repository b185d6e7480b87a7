-- Why what was sold in the night is not what Stripe charged in it: the purchases and charges of the night that are not each other's, each with
-- the step that it belongs to. A purchase and a charge are each other's where main_charge and purchase_of_charge agree.
WITH sold AS (
    SELECT b.account_id, b.purchase_id, b.currency, b.amount_minor, c.id AS charge_id, c.created_at, c.captured_minor, c.currency AS charge_currency, c.went_through
    FROM reconciler.booked_purchases b
    LEFT JOIN source.purchases p ON p.id = b.purchase_id AND p.account_id = b.account_id
    LEFT JOIN LATERAL (
        SELECT m.id, m.created_at, m.captured_minor, m.currency, m.status = 'succeeded' AND m.captured_minor > 0 AS went_through
        FROM {{ main_charge }} m
        CROSS JOIN LATERAL (SELECT m.id, m.payment_intent_id, m.invoice_id, m.metadata_purchase_id) c
        CROSS JOIN LATERAL (SELECT o.id FROM {{ purchase_of_charge }} o) o
        WHERE o.id = b.purchase_id) c ON true
    WHERE b.booked_at >= @begin::timestamptz AND b.booked_at < @as_of::timestamptz AND b.amount_minor <> 0
), charged AS (
    SELECT c.id, c.currency, c.captured_minor, p.id AS purchase_id, p.account_id, m.id AS main_charge_id,
           EXISTS (SELECT FROM reconciler.booked_purchases b WHERE b.account_id = p.account_id AND b.purchase_id = p.id
                   AND b.booked_at >= @begin::timestamptz AND b.booked_at < @as_of::timestamptz AND b.amount_minor <> 0) AS is_sold,
           (SELECT b.currency FROM reconciler.booked_purchases b WHERE b.account_id = p.account_id AND b.purchase_id = p.id) AS sold_currency
    FROM {{ charges_as_of }} c
    LEFT JOIN LATERAL {{ purchase_of_charge }} p ON true
    LEFT JOIN LATERAL {{ main_charge }} m ON true
    WHERE c.created_at >= @begin::timestamptz AND c.status = 'succeeded' AND c.captured_minor > 0
), steps AS (
    SELECT s.currency, CASE WHEN s.charge_id IS NULL OR NOT s.went_through THEN 'not_charged'
                            WHEN s.created_at < @begin::timestamptz THEN 'charged_before'
                            WHEN s.charge_currency <> s.currency THEN 'other_currency_sold'
                            WHEN s.captured_minor <> s.amount_minor THEN 'other_amount' END AS step,
           s.purchase_id, coalesce(s.charge_id, '') AS charge_id, s.account_id,
           CASE WHEN s.went_through AND s.created_at >= @begin::timestamptz AND s.charge_currency = s.currency THEN s.captured_minor - s.amount_minor
                ELSE -s.amount_minor END AS amount_minor
    FROM sold s
    UNION ALL
    SELECT c.currency, CASE WHEN c.purchase_id IS NULL THEN 'no_purchase'
                            WHEN c.main_charge_id IS DISTINCT FROM c.id THEN 'charged_again'
                            WHEN NOT c.is_sold THEN 'sold_another_night'
                            WHEN c.sold_currency <> c.currency THEN 'other_currency_charged' END,
           coalesce(c.purchase_id, ''), c.id, coalesce(c.account_id, ''), c.captured_minor
    FROM charged c
)
SELECT currency, step, purchase_id, charge_id, account_id, amount_minor FROM steps WHERE step IS NOT NULL
ORDER BY currency COLLATE "C", step COLLATE "C", purchase_id COLLATE "C", charge_id COLLATE "C", account_id COLLATE "C"
