-- Accounts that have not moved tonight, but have a window that may be open or change: by a purchase young enough, a request, or Stripe.
INSERT INTO reconciler.account_moves (account_id, business_date, moved, net_before, balance_before)
SELECT a.account_id, @date::date, false, coalesce(p.net_usage, 0) + s.net_usage, coalesce(p.credits, 0) + s.credits
FROM (SELECT p.account_id
      FROM {{ valid_purchases }} p
      WHERE p.kind = 'credits' AND p.status = 'completed' AND p.completed_at < @as_of::timestamptz
        AND p.completed_at >= @begin::timestamptz - make_interval(secs => @longest_window_seconds::bigint)
      UNION
      SELECT m.account_id FROM reconciler.request_matches m WHERE m.business_date = @date::date AND m.job = @job::text
      UNION
      SELECT c.account_id FROM {{ purchases_set_back }} c) a
{{ before_night }}
WHERE NOT EXISTS (SELECT FROM reconciler.account_moves m WHERE m.account_id = a.account_id AND m.business_date = @date::date)
