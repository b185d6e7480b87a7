-- Accounts that have not moved tonight, but have a window that may be open or change: by a purchase young enough, a request, or Stripe.
WITH asked AS MATERIALIZED (
    SELECT p.account_id
    FROM {{ valid_purchases }} p
    WHERE p.kind = 'credits' AND p.status = 'completed' AND p.completed_at < @as_of::timestamptz
      AND p.completed_at >= @begin::timestamptz - make_interval(secs => @longest_window_seconds::bigint)
    UNION
    SELECT m.account_id FROM reconciler.request_matches m WHERE m.business_date = @date::date
    UNION
    SELECT c.account_id FROM {{ purchases_set_back }} c
), there AS MATERIALIZED (
    SELECT m.account_id FROM asked q JOIN reconciler.account_moves m ON m.account_id = q.account_id AND m.business_date = @date::date
), a AS MATERIALIZED (
    SELECT account_id FROM asked EXCEPT SELECT account_id FROM there
), {{ stood_before }}
INSERT INTO reconciler.account_moves (account_id, business_date, moved, net_before, balance_before)
SELECT s.account_id, @date::date, false, s.net_usage, s.credits FROM stood s
