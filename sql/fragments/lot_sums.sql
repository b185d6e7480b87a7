-- What lot_entries e come to by lot.
e.account_id, e.lot_kind, e.lot_id, min(e.created_at) FILTER (WHERE e.kind IN ('purchase', 'promo', 'adjustment')) AS granted_at,
coalesce(sum(e.credits) FILTER (WHERE e.kind IN ('purchase', 'promo', 'adjustment') AND e.lot_kind <> 'usage'), 0) AS granted,
coalesce(sum(e.credits) FILTER (WHERE e.kind IN ('refund', 'refund_reversal')), 0) AS refunded,
coalesce(-sum(e.credits) FILTER (WHERE e.lot_kind = 'usage'), 0) AS used
