-- Disputes as of the night. chargeback_at is since when the money is at stake; null for what has only been an inquiry.
(SELECT d.id, d.charge_id, d.amount_minor, d.currency, s.status, s.effective_at AS status_since, d.reason, d.created_at,
        (SELECT h.evidence_due_by FROM reconciler.stripe_states h
         WHERE h.object_id = d.id AND h.effective_at < @as_of::timestamptz AND h.evidence_due_by IS NOT NULL
         ORDER BY h.effective_at DESC, h.seen_at DESC LIMIT 1) AS evidence_due_by,
        (SELECT min(h.effective_at) FROM reconciler.stripe_states h
         WHERE h.object_id = d.id AND h.effective_at < @as_of::timestamptz AND h.status NOT LIKE 'warning%') AS chargeback_at
 FROM reconciler.stripe_disputes d
 CROSS JOIN LATERAL (SELECT h.status, h.effective_at FROM reconciler.stripe_states h
                     WHERE h.object_id = d.id AND h.effective_at < @as_of::timestamptz
                     ORDER BY h.effective_at DESC, h.seen_at DESC LIMIT 1) s
 WHERE d.created_at < @as_of::timestamptz)
