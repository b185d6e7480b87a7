-- What the state of each window follows from, as of the night's opening and as of its end; but for windows that had long been used, expired or
-- refunded when the night opened and that nothing happened to since: those can't be the night's.
WITH account AS MATERIALIZED (
    SELECT m.account_id, {{ net_through_night }}
    FROM reconciler.account_moves m
    WHERE m.business_date = @date::date AND m.account_id COLLATE "C" > @after_account::text AND m.account_id COLLATE "C" <= @through_account::text
), held AS MATERIALIZED (
    -- Only a purchase that the request names without doubt is held by it.
    SELECT m.purchase_id,
           min(m.requested_at) FILTER (WHERE m.opening_hits = 1 AND m.requested_at < @begin::timestamptz
                                         AND (m.status IN ('pending', 'approved') OR m.decided_at >= @begin::timestamptz)
                                         AND (m.denied_at IS NULL OR m.denied_at >= @begin::timestamptz)) AS at_opening,
           min(m.requested_at) FILTER (WHERE m.hits = 1
                                         AND (m.status IN ('pending', 'approved') OR m.decided_at >= @as_of::timestamptz)
                                         AND (m.denied_at IS NULL OR m.denied_at >= @as_of::timestamptz)) AS at_closing
    FROM reconciler.request_matches m
    WHERE m.business_date = @date::date AND (m.hits = 1 OR m.opening_hits = 1)
    GROUP BY 1
)
SELECT u.lot_id AS purchase_id, u.account_id, u.completed_at, u.purchased AS credits, u.amount_minor, u.currency,
       u.completed_at + make_interval(secs => v.refund_window_seconds) AS expires_at, v.version AS policy_version,
       least(u.used_opening, u.purchased)::bigint AS used_before, least(u.used_closing, u.purchased)::bigint AS used_now,
       u.refunded_opening < 0 OR coalesce(c.refunded_minor > 0 AND c.refunded_at < @begin::timestamptz, false) AS refunded_before,
       u.refunded_closing < 0 OR coalesce(c.refunded_minor > 0 AND c.refunded_at < @as_of::timestamptz, false) AS refunded_now,
       coalesce(c.disputed_at < @begin::timestamptz, false) AS disputed_before,
       coalesce(c.disputed_at < @as_of::timestamptz, false) AS disputed_now,
       h.at_opening AS requested_before, h.at_closing AS requested_now,
       {{ payment_columns }}
FROM (SELECT u.* FROM {{ lot_use }} u WHERE u.lot_kind = 'purchase' AND u.purchase_kind = 'credits' OFFSET 0) u
JOIN reconciler.policy_versions v ON v.policy = @policy::text AND u.completed_at >= v.effective_from AND u.completed_at < v.effective_to
LEFT JOIN held h ON h.purchase_id = u.lot_id
LEFT JOIN {{ purchase_charges }} c ON c.purchase_id = u.lot_id AND c.account_id = u.account_id
WHERE u.completed_at + make_interval(secs => v.refund_window_seconds) >= @begin::timestamptz
   OR (least(u.used_opening, u.purchased) > 0) <> (least(u.used_closing, u.purchased) > 0)
   OR (u.refunded_opening < 0) <> (u.refunded_closing < 0)
   OR h.purchase_id IS NOT NULL
   OR u.lot_id IN (SELECT b.purchase_id FROM {{ purchases_set_back }} b)
