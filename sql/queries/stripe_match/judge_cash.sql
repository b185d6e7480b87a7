-- Per currency: does it open as the night before closed, does it come to Stripe's balance, and is as much of it available as Stripe
-- says? What becomes available within a day of the reading may be on either side of it, and so may what was created in its very second.
INSERT INTO reconciler.stripe_checks (business_date, job, control, again, subject_id, outcome, kind, field, ours, theirs, variance, unit, detail)
WITH facts AS (
    SELECT c.*, y.closing_minor AS closed_minor, t.available, t.moving,
           c.balance_at IS NOT NULL AND abs(t.available - c.stripe_available_minor) > t.moving AS is_split_wrong
    FROM reconciler.stripe_cash c
    LEFT JOIN reconciler.stripe_cash y ON y.business_date = c.business_date - 1 AND y.currency = c.currency
    LEFT JOIN LATERAL (SELECT c.closing_minor + c.after_minor
                                  - coalesce(sum(t.net_minor) FILTER (WHERE t.available_on > c.balance_at AND t.created_at < c.balance_at), 0) AS available,
                              coalesce(sum(abs(t.net_minor)) FILTER (WHERE t.available_on <= c.balance_at + make_interval(secs => @available_within_seconds::bigint)
                                                                     OR t.created_at = c.balance_at), 0) AS moving
                       FROM reconciler.stripe_balance_transactions t
                       WHERE t.currency = c.currency AND t.created_at <= c.balance_at
                         AND t.available_on > c.balance_at - make_interval(secs => @available_within_seconds::bigint)) t ON true
    WHERE c.business_date = @date::date
), judged AS (
    SELECT f.*, CASE WHEN opening_minor <> closed_minor THEN 'opening' WHEN residual_minor <> 0 THEN 'balance' WHEN is_split_wrong THEN 'available' ELSE '' END AS field
    FROM facts f
)
SELECT @date::date, @job::text, 'balances', false, currency, CASE WHEN field = '' THEN 'matched' ELSE 'break' END,
       CASE WHEN field = '' THEN '' ELSE 'balance_residual' END, field,
       CASE WHEN field = 'opening' THEN opening_minor::text WHEN field = 'balance' THEN (closing_minor + after_minor)::text WHEN field = 'available' THEN available::text ELSE '' END,
       CASE WHEN field = 'opening' THEN closed_minor::text WHEN field = 'balance' THEN (stripe_available_minor + stripe_pending_minor)::text
                  WHEN field = 'available' THEN stripe_available_minor::text ELSE '' END,
       CASE WHEN field = 'opening' THEN opening_minor - closed_minor WHEN field = 'balance' THEN residual_minor
           WHEN field = 'available' THEN available - stripe_available_minor ELSE 0 END,
       CASE WHEN field = '' THEN '' ELSE currency END,
       CASE WHEN field = 'opening' THEN 'the night before closed otherwise'
                  WHEN field = 'balance' THEN 'against the balance of ' || to_char(balance_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
                  WHEN field = 'available' THEN 'the total ties, what of it is available doesn''t' ELSE '' END
FROM judged
