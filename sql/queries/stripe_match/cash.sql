-- Opening to closing per currency; and Stripe's Balance object, where one was read within a day after the night. It continues from the newest
-- night before whose closing still holds, or with @from_the_first from the first balance transaction that there ever was: the sum is the
-- same, and verification asks for it.
INSERT INTO reconciler.stripe_cash (business_date, currency, opening_minor, activity_minor, payouts_minor, available_minor, pending_minor,
    balance_at, after_minor, stripe_available_minor, stripe_pending_minor, residual_minor, as_of)
WITH RECURSIVE taken AS (
    SELECT min(b.taken_at) AS taken_at FROM reconciler.stripe_balances b
    WHERE b.taken_at >= @as_of::timestamptz AND b.taken_at < @as_of::timestamptz + interval '24 hours'
), anchor AS (
    SELECT coalesce(min(c.as_of), '-infinity') AS as_of, min(c.business_date) AS business_date
    FROM (SELECT c.as_of, c.business_date FROM reconciler.stripe_cash c
          WHERE c.business_date < @date::date AND c.as_of <= @begin::timestamptz AND NOT c.is_stale AND NOT @from_the_first::boolean
          ORDER BY c.business_date DESC LIMIT 1) c
), since AS (
    SELECT t.currency,
           coalesce(sum(t.net_minor) FILTER (WHERE t.created_at < @begin::timestamptz), 0) AS before,
           coalesce(sum(t.net_minor) FILTER (WHERE t.created_at >= @begin::timestamptz AND t.created_at < @as_of::timestamptz
                                               AND t.reporting_category NOT IN ('payout', 'payout_reversal')), 0) AS activity,
           coalesce(sum(t.net_minor) FILTER (WHERE t.created_at >= @begin::timestamptz AND t.created_at < @as_of::timestamptz
                                               AND t.reporting_category IN ('payout', 'payout_reversal')), 0) AS payouts,
           coalesce(sum(t.net_minor) FILTER (WHERE t.created_at >= @as_of::timestamptz), 0) AS after
    FROM reconciler.stripe_balance_transactions t
    CROSS JOIN taken
    WHERE t.created_at >= (SELECT as_of FROM anchor)
      AND t.created_at < greatest(@as_of::timestamptz, coalesce(taken.taken_at, @as_of::timestamptz))
    GROUP BY t.currency
), pending AS (
    SELECT t.currency, sum(t.net_minor) AS pending
    FROM reconciler.stripe_balance_transactions t
    WHERE t.available_on > @as_of::timestamptz AND t.created_at < @as_of::timestamptz
    GROUP BY t.currency
), ours AS (
    SELECT currency, coalesce(y.closing_minor, 0) + coalesce(s.before, 0) AS opening, coalesce(s.activity, 0) AS activity, coalesce(s.payouts, 0) AS payouts,
           coalesce(p.pending, 0) AS pending, coalesce(s.after, 0) AS after
    FROM (SELECT c.currency, c.closing_minor FROM reconciler.stripe_cash c JOIN anchor USING (business_date)) y
    FULL JOIN since s USING (currency)
    LEFT JOIN pending p USING (currency)
), theirs AS (
    SELECT b.currency, b.available_minor, b.pending_minor FROM reconciler.stripe_balances b JOIN taken ON taken.taken_at = b.taken_at
), second AS MATERIALIZED (
    -- Stripe dates by the second, and its balance not at all: of what was created in the very second of the reading nobody knows whether the balance
    -- has it.
    SELECT t.currency, t.net_minor, row_number() OVER (PARTITION BY t.currency ORDER BY t.id COLLATE "C") AS n
    FROM reconciler.stripe_balance_transactions t JOIN taken ON t.created_at = taken.taken_at
), possible (currency, n, minor) AS (
    SELECT currency, 0::bigint, 0::numeric FROM theirs
    UNION
    SELECT p.currency, s.n, p.minor + x.minor
    FROM possible p
    JOIN second s ON s.currency = p.currency AND s.n = p.n + 1 AND s.n <= 10
    CROSS JOIN LATERAL (VALUES (0::numeric), (s.net_minor)) x (minor)
), undecided AS ( -- what of it makes the balance tie: none, if that does
    SELECT s.currency, (SELECT p.minor FROM possible p
                        WHERE p.currency = s.currency AND p.minor = s.available_minor + s.pending_minor - coalesce(o.opening + o.activity + o.payouts + o.after, 0)
                        LIMIT 1) AS minor
    FROM theirs s LEFT JOIN ours o USING (currency)
)
SELECT @date::date, currency, coalesce(o.opening, 0), coalesce(o.activity, 0), coalesce(o.payouts, 0),
       coalesce(o.opening + o.activity + o.payouts - o.pending, 0), coalesce(o.pending, 0),
       taken.taken_at, coalesce(o.after, 0) + coalesce(u.minor, 0),
       CASE WHEN taken.taken_at IS NOT NULL THEN coalesce(s.available_minor, 0) END,
       CASE WHEN taken.taken_at IS NOT NULL THEN coalesce(s.pending_minor, 0) END,
       CASE WHEN taken.taken_at IS NOT NULL THEN
           coalesce(o.opening + o.activity + o.payouts + o.after, 0) + coalesce(u.minor, 0) - coalesce(s.available_minor, 0) - coalesce(s.pending_minor, 0) END,
       @as_of::timestamptz
FROM ours o
FULL JOIN theirs s USING (currency)
LEFT JOIN undecided u USING (currency)
CROSS JOIN taken
