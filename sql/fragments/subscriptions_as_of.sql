-- Subscriptions that keep the contract, as they were at the end of the night: the newest state seen by then, else the first one ever seen.
(SELECT s.id, s.account_id, s.stripe_subscription_id, s.plan, s.status, s.current_period_start, s.current_period_end, s.cancel_requested_at, s.access_ends_at
 FROM (SELECT DISTINCT ON (t.row_id) t.content
       FROM reconciler.platform_states t
       WHERE t.relation = 'subscriptions'
       ORDER BY t.row_id, t.seen_as_of <= @as_of::timestamptz DESC,
                CASE WHEN t.seen_as_of <= @as_of::timestamptz THEN t.seen_as_of END DESC, t.seen_as_of) latest
 CROSS JOIN LATERAL jsonb_to_record(latest.content) AS s (id text, account_id text, stripe_subscription_id text, plan text, status text,
      current_period_start timestamptz, current_period_end timestamptz, cancel_requested_at timestamptz, access_ends_at timestamptz))
