-- Each candidate against the charge that pays it. Exactly one outcome each, the most specific kind.
INSERT INTO reconciler.stripe_checks (account_id, business_date, job, check_name, subject_id, outcome, kind, field, ours, theirs, variance,
    unit, detail, amount_minor, currency)
WITH facts AS (
    SELECT s.in_scan, p.id, p.account_id, p.amount_minor, p.currency, p.created_at,
           CASE WHEN p.status = 'completed' AND p.completed_at >= @as_of::timestamptz THEN 'pending' ELSE p.status END AS status,
           p.completed_at, c.id AS charge_id, c.status AS charge_status, c.status_since, c.captured, c.captured_minor,
           c.currency AS charge_currency, c.created_at AS charged_at, c.method,
           coalesce(r.refunded_minor, 0) AS refunded_minor,
           i.status AS intent_status
    FROM reconciler.candidates s
    JOIN {{ valid_purchases }} p ON p.id = s.subject_id
    LEFT JOIN LATERAL {{ main_charge }} c ON true
    LEFT JOIN LATERAL (SELECT sum(r.amount_minor) AS refunded_minor FROM {{ refunds_as_of }} r WHERE r.charge_id = c.id AND r.is_live) r ON true
    LEFT JOIN reconciler.stripe_payment_intents i ON i.id = p.stripe_payment_intent_id
    WHERE s.business_date = @date::date AND s.job = @scope::text AND p.created_at < @as_of::timestamptz
), judged AS (
    SELECT f.*, CASE
        WHEN status <> 'completed' THEN CASE
            WHEN charge_id IS NULL OR charge_status IN ('failed', 'pending') OR NOT captured OR refunded_minor >= captured_minor THEN 'matched'
            WHEN greatest(charged_at, status_since) > @grace_before::timestamptz THEN 'awaiting'
            ELSE 'charge_status_mismatch' END
        WHEN charge_id IS NULL THEN CASE
            WHEN amount_minor = 0 THEN 'matched'
            WHEN completed_at > @grace_before::timestamptz THEN 'awaiting'
            ELSE 'purchase_missing_at_stripe' END
        WHEN charge_status = 'pending' THEN
            CASE WHEN charged_at >= @async_since::timestamptz THEN 'awaiting' ELSE 'charge_status_mismatch' END
        WHEN charge_status <> 'succeeded' OR NOT captured THEN
            CASE WHEN completed_at > @grace_before::timestamptz THEN 'awaiting' ELSE 'charge_status_mismatch' END
        WHEN charge_currency <> currency THEN 'charge_currency_mismatch'
        WHEN captured_minor <> amount_minor THEN 'charge_amount_mismatch'
        ELSE 'matched' END AS verdict
    FROM facts f
)
SELECT account_id, @date::date, @job::text, CASE WHEN in_scan THEN 'purchases at Stripe' ELSE 'purchases at Stripe again' END, id,
       CASE WHEN verdict IN ('matched', 'awaiting') THEN verdict ELSE 'break' END,
       CASE WHEN verdict IN ('matched', 'awaiting') THEN '' ELSE verdict END,
       CASE verdict WHEN 'purchase_missing_at_stripe' THEN 'charge' WHEN 'charge_amount_mismatch' THEN 'amount_minor'
                    WHEN 'charge_currency_mismatch' THEN 'currency' WHEN 'charge_status_mismatch' THEN 'status' ELSE '' END,
       CASE verdict WHEN 'charge_currency_mismatch' THEN currency WHEN 'charge_status_mismatch' THEN status ELSE amount_minor::text END,
       CASE verdict WHEN 'charge_currency_mismatch' THEN charge_currency WHEN 'charge_amount_mismatch' THEN captured_minor::text
                    WHEN 'charge_status_mismatch' THEN
                        CASE WHEN charge_status = 'succeeded' AND NOT captured THEN 'not captured' ELSE charge_status END
                    ELSE '' END,
       CASE verdict WHEN 'purchase_missing_at_stripe' THEN amount_minor
                    WHEN 'charge_amount_mismatch' THEN amount_minor::numeric - captured_minor
                    WHEN 'charge_status_mismatch' THEN CASE WHEN status = 'completed' THEN amount_minor ELSE refunded_minor - captured_minor END
                    ELSE 0 END,
       CASE verdict WHEN 'matched' THEN '' WHEN 'awaiting' THEN '' WHEN 'charge_currency_mismatch' THEN '' ELSE currency END,
       CASE verdict
           WHEN 'purchase_missing_at_stripe' THEN CASE WHEN intent_status IS NULL THEN '' ELSE 'its payment intent is ' || intent_status END
           WHEN 'charge_currency_mismatch' THEN 'charge ' || charge_id || ' of ' || captured_minor || ' ' || charge_currency || ' for a purchase of ' || amount_minor || ' ' || currency
           WHEN 'matched' THEN '' WHEN 'awaiting' THEN ''
           ELSE 'charge ' || charge_id END,
       amount_minor, currency
FROM judged
