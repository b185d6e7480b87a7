-- What the state of each window follows from, as of the night's opening and as of its end.
WITH lot_account AS (SELECT unnest(@accounts::text[]) AS account_id),
lot_use AS MATERIALIZED {{ lot_use }},
held AS (
    -- Only a purchase that the request names without doubt is held by it.
    SELECT m.* FROM reconciler.request_matches m WHERE m.business_date = @date::date AND m.job = @job::text AND m.hits = 1
)
SELECT p.id AS purchase_id, p.account_id, p.completed_at, p.credits, p.amount_minor, p.currency,
       p.completed_at + make_interval(secs => v.refund_window_seconds) AS expires_at, v.version AS policy_version,
       least(coalesce(o.used, 0), p.credits)::bigint AS used_before, least(coalesce(n.used, 0), p.credits)::bigint AS used_now,
       coalesce(o.refunded < 0, false) OR coalesce(c.refunded_minor > 0 AND c.refunded_at < @begin::timestamptz, false) AS refunded_before,
       coalesce(n.refunded < 0, false) OR coalesce(c.refunded_minor > 0 AND c.refunded_at < @as_of::timestamptz, false) AS refunded_now,
       coalesce(c.disputed_at < @begin::timestamptz, false) AS disputed_before,
       coalesce(c.disputed_at < @as_of::timestamptz, false) AS disputed_now,
       (SELECT min(h.requested_at) FROM held h
        WHERE h.purchase_id = p.id AND h.requested_at < @begin::timestamptz
          AND (h.status IN ('pending', 'approved') OR h.decided_at >= @begin::timestamptz)
          AND (h.denied_at IS NULL OR h.denied_at >= @begin::timestamptz)) AS requested_before,
       (SELECT min(h.requested_at) FROM held h
        WHERE h.purchase_id = p.id
          AND (h.status IN ('pending', 'approved') OR h.decided_at >= @as_of::timestamptz)
          AND (h.denied_at IS NULL OR h.denied_at >= @as_of::timestamptz)) AS requested_now,
       c.charge_amount_minor, c.settled_amount_minor, c.fee_minor
FROM {{ valid_purchases }} p
JOIN reconciler.policy_versions v ON v.policy = @policy::text AND p.completed_at >= v.effective_from AND p.completed_at < v.effective_to
LEFT JOIN lot_use o ON o.at = @begin::timestamptz AND o.kind = 'purchase' AND o.account_id = p.account_id AND o.lot_id = p.id
LEFT JOIN lot_use n ON n.at = @as_of::timestamptz AND n.kind = 'purchase' AND n.account_id = p.account_id AND n.lot_id = p.id
LEFT JOIN {{ purchase_charges }} c ON c.purchase_id = p.id AND c.account_id = p.account_id
WHERE p.account_id = ANY (@accounts::text[])
  AND p.kind = 'credits' AND p.status = 'completed' AND p.completed_at < @as_of::timestamptz
  AND p.id COLLATE "C" > @after::text
ORDER BY p.id COLLATE "C"
LIMIT @limit::int
