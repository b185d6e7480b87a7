-- Subscriptions whose period, access, plan or invoices something happened to since a counterpart could have been awaited, and those that the platform
-- has changed or made known since the night before.
INSERT INTO reconciler.candidates (business_date, job, account_id, subject_id, in_scan)
WITH subscription AS MATERIALIZED {{ subscriptions_as_of }}
SELECT @date::date, @scope::text, '', x.id, true
FROM (
    SELECT s.id
    FROM subscription s
    WHERE (s.current_period_start >= @since::timestamptz AND s.current_period_start < @as_of::timestamptz)
       OR (s.current_period_end >= @since::timestamptz AND s.current_period_end < @as_of::timestamptz)
       OR (s.access_ends_at >= @since::timestamptz AND s.access_ends_at < @as_of::timestamptz)
       OR (s.cancel_requested_at >= @since::timestamptz AND s.cancel_requested_at < @as_of::timestamptz)
    UNION
    SELECT t.row_id FROM reconciler.platform_states t
    WHERE t.relation = 'subscriptions' AND t.seen_as_of > @unseen::timestamptz AND t.seen_as_of <= @as_of::timestamptz
      AND EXISTS (SELECT FROM reconciler.platform_states b
                  WHERE b.relation = t.relation AND b.seen_as_of < t.seen_as_of) -- the first night comes to know all of them
    UNION
    SELECT h.subscription_id
    FROM {{ valid_subscription_changes }} h
    JOIN subscription s ON s.id = h.subscription_id
    WHERE h.effective_at < @as_of::timestamptz AND (h.effective_at >= @since::timestamptz OR {{ change_is_late }})
    UNION
    SELECT s.id
    FROM reconciler.stripe_invoices i
    JOIN subscription s ON s.stripe_subscription_id = i.subscription_id
    WHERE i.subscription_id <> '' AND (i.created_at >= @since::timestamptz AND i.created_at < @as_of::timestamptz
                                       OR i.paid_at >= @since::timestamptz AND i.paid_at < @as_of::timestamptz)
) x
