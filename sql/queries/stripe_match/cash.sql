-- Opening to closing per currency, from every balance transaction that there ever was; and Stripe's Balance object, where one was read
-- within a day after the night.
INSERT INTO reconciler.stripe_cash (business_date, currency, opening_minor, activity_minor, payouts_minor, available_minor, pending_minor,
    balance_at, after_minor, stripe_available_minor, stripe_pending_minor, residual_minor)
WITH taken AS (
    SELECT min(b.taken_at) AS taken_at FROM reconciler.stripe_balances b
    WHERE b.taken_at >= @as_of::timestamptz AND b.taken_at < @as_of::timestamptz + interval '24 hours'
), ours AS (
    SELECT t.currency,
           coalesce(sum(t.net_minor) FILTER (WHERE t.created_at < @begin::timestamptz), 0) AS opening,
           coalesce(sum(t.net_minor) FILTER (WHERE t.created_at >= @begin::timestamptz AND t.created_at < @as_of::timestamptz
                                               AND t.reporting_category NOT IN ('payout', 'payout_reversal')), 0) AS activity,
           coalesce(sum(t.net_minor) FILTER (WHERE t.created_at >= @begin::timestamptz AND t.created_at < @as_of::timestamptz
                                               AND t.reporting_category IN ('payout', 'payout_reversal')), 0) AS payouts,
           coalesce(sum(t.net_minor) FILTER (WHERE t.created_at < @as_of::timestamptz AND t.available_on <= @as_of::timestamptz), 0) AS available,
           coalesce(sum(t.net_minor) FILTER (WHERE t.created_at < @as_of::timestamptz AND t.available_on > @as_of::timestamptz), 0) AS pending,
           coalesce(sum(t.net_minor) FILTER (WHERE t.created_at >= @as_of::timestamptz), 0) AS after
    FROM reconciler.stripe_balance_transactions t
    CROSS JOIN taken
    WHERE t.created_at < @as_of::timestamptz OR t.created_at < taken.taken_at -- of the second itself nobody knows; an old night must not change its mind
    GROUP BY t.currency
), theirs AS (
    SELECT b.currency, b.available_minor, b.pending_minor FROM reconciler.stripe_balances b JOIN taken ON taken.taken_at = b.taken_at
)
SELECT @date::date, currency, coalesce(o.opening, 0), coalesce(o.activity, 0), coalesce(o.payouts, 0), coalesce(o.available, 0), coalesce(o.pending, 0),
       taken.taken_at, coalesce(o.after, 0),
       CASE WHEN taken.taken_at IS NOT NULL THEN coalesce(s.available_minor, 0) END,
       CASE WHEN taken.taken_at IS NOT NULL THEN coalesce(s.pending_minor, 0) END,
       CASE WHEN taken.taken_at IS NOT NULL THEN
           coalesce(o.opening + o.activity + o.payouts + o.after, 0) - coalesce(s.available_minor, 0) - coalesce(s.pending_minor, 0) END
FROM ours o
FULL JOIN theirs s USING (currency)
CROSS JOIN taken
