-- Each candidate against the charge that pays it: one payment pays one purchase, of those that name it. Exactly one outcome each, the most specific
-- kind.
INSERT INTO reconciler.stripe_checks (account_id, business_date, job, control, again, subject_id, outcome, kind, field, ours, theirs, variance,
    unit, detail, amount_minor, currency, since)
WITH facts AS (
    SELECT s.in_scan, p.id, p.account_id, p.amount_minor, p.currency, p.created_at,
           CASE WHEN p.status = 'completed' AND p.completed_at >= @as_of::timestamptz THEN 'pending' ELSE p.status END AS status,
           p.completed_at, c.id AS charge_id, CASE WHEN o.id <> p.id THEN named.id END AS taken_charge_id, o.id AS taken_by, c.status AS charge_status, c.status_since, c.captured_minor,
           c.currency AS charge_currency, c.created_at AS charged_at, c.method,
           r.refunded_minor + r.surplus_minor AS refunded_minor, n.status AS intent_status,
           i.id AS invoice_id, i.status AS invoice_status, i.paid_out_of_band, coalesce(i.from_balance_minor, 0) AS from_balance_minor,
           {{ payment_covers }} AS is_covered
    FROM reconciler.candidates s
    JOIN {{ valid_purchases }} p ON p.id = s.subject_id
    LEFT JOIN LATERAL (SELECT c.* FROM {{ main_charge }} c) named ON true
    LEFT JOIN LATERAL (SELECT o.id FROM (SELECT named.*) c CROSS JOIN LATERAL {{ purchase_of_charge }} o) o ON true
    LEFT JOIN LATERAL (SELECT named.* WHERE o.id = p.id) c ON true
    LEFT JOIN LATERAL {{ purchase_invoice }} i ON true
    CROSS JOIN LATERAL {{ refunded }} r
    LEFT JOIN reconciler.stripe_payment_intents n ON n.id = p.stripe_payment_intent_id
    WHERE s.business_date = @date::date AND s.job = @scope::text AND p.created_at < @as_of::timestamptz
), judged AS (
    SELECT f.*, CASE
        WHEN status <> 'completed' THEN CASE
            WHEN charge_id IS NULL OR charge_status IN ('failed', 'pending') OR refunded_minor >= captured_minor THEN 'matched'
            WHEN greatest(charged_at, status_since) > @grace_before::timestamptz THEN 'awaiting'
            ELSE 'charge_status_mismatch' END
        WHEN charge_id IS NULL THEN CASE
            WHEN amount_minor = 0 OR invoice_status = 'paid' AND from_balance_minor = amount_minor THEN 'matched'
            WHEN completed_at > @grace_before::timestamptz THEN 'awaiting'
            ELSE 'purchase_missing_at_stripe' END
        WHEN charge_status = 'pending' THEN
            CASE WHEN charged_at >= @async_since::timestamptz THEN 'awaiting' ELSE 'charge_status_mismatch' END
        WHEN charge_status <> 'succeeded' OR captured_minor = 0 THEN
            CASE WHEN completed_at > @grace_before::timestamptz THEN 'awaiting' ELSE 'charge_status_mismatch' END
        WHEN charge_currency <> currency THEN 'charge_currency_mismatch'
        WHEN NOT is_covered THEN 'charge_amount_mismatch'
        ELSE 'matched' END AS verdict
    FROM facts f
)
SELECT account_id, @date::date, @job::text, @scope::text, NOT in_scan, id,
       CASE WHEN verdict IN ('matched', 'awaiting') THEN verdict ELSE 'break' END,
       CASE WHEN verdict IN ('matched', 'awaiting') THEN '' ELSE verdict END,
       CASE WHEN verdict = 'purchase_missing_at_stripe' THEN 'charge' WHEN verdict = 'charge_amount_mismatch' THEN 'amount_minor'
                    WHEN verdict = 'charge_currency_mismatch' THEN 'currency' WHEN verdict = 'charge_status_mismatch' THEN 'status' ELSE '' END,
       CASE WHEN verdict = 'charge_currency_mismatch' THEN currency WHEN verdict = 'charge_status_mismatch' THEN status ELSE amount_minor::text END,
       CASE WHEN verdict = 'charge_currency_mismatch' THEN charge_currency WHEN verdict = 'charge_amount_mismatch' THEN (captured_minor::numeric + from_balance_minor)::text
                    WHEN verdict = 'charge_status_mismatch' THEN
                        CASE WHEN charge_status = 'succeeded' AND captured_minor = 0 THEN 'not captured' ELSE charge_status END
                    ELSE '' END,
       CASE WHEN verdict = 'purchase_missing_at_stripe' THEN amount_minor
                    WHEN verdict = 'charge_amount_mismatch' THEN amount_minor::numeric - captured_minor - from_balance_minor
                    WHEN verdict = 'charge_currency_mismatch' THEN amount_minor -- nothing of the purchase's currency came in
                    WHEN verdict = 'charge_status_mismatch' THEN CASE WHEN status = 'completed' THEN amount_minor ELSE refunded_minor - captured_minor END
                    ELSE 0 END,
       CASE WHEN verdict = 'matched' THEN '' WHEN verdict = 'awaiting' THEN ''
            WHEN verdict = 'charge_status_mismatch' AND status <> 'completed' THEN charge_currency ELSE currency END,
       CASE
           WHEN verdict = 'purchase_missing_at_stripe' AND taken_charge_id IS NOT NULL
               THEN 'the charge that it names, ' || taken_charge_id || ', pays purchase ' || taken_by
           WHEN verdict = 'purchase_missing_at_stripe' THEN concat_ws('; ', 'its payment intent is ' || intent_status,
               CASE WHEN paid_out_of_band THEN 'its invoice ' || invoice_id || ' is marked as paid out of band: the money came another way than through Stripe, or never'
                    WHEN invoice_id IS NOT NULL THEN 'its invoice ' || invoice_id || ' is ' || invoice_status END)
           WHEN verdict = 'charge_amount_mismatch' THEN concat_ws(', ', 'charge ' || charge_id,
               CASE WHEN from_balance_minor <> 0 THEN 'invoice ' || invoice_id || ' with ' || from_balance_minor || ' ' || currency || ' from the customer''s balance' END)
           WHEN verdict = 'charge_currency_mismatch' THEN 'charge ' || charge_id || ' of ' || captured_minor || ' ' || charge_currency || ' for a purchase of '
               || amount_minor || ' ' || currency
           WHEN verdict = 'matched' THEN '' WHEN verdict = 'awaiting' THEN ''
           ELSE 'charge ' || charge_id END,
       amount_minor, currency, coalesce(greatest(charged_at, status_since), completed_at)
FROM judged
