-- Refunds that give money back, as of the night.
(SELECT r.id, r.charge_id, r.amount_minor, r.currency, s.status, s.effective_at AS status_since, r.reason, r.failure_reason, r.created_at,
        s.status NOT IN ('failed', 'canceled') AS is_live
 FROM reconciler.stripe_refunds r
 CROSS JOIN LATERAL (SELECT h.status, h.effective_at FROM reconciler.stripe_states h
                     WHERE h.object_id = r.id AND h.effective_at < @as_of::timestamptz
                     ORDER BY h.effective_at DESC, h.seen_at DESC LIMIT 1) s
 WHERE r.created_at < @as_of::timestamptz AND {{ money_back }})
