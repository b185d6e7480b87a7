-- Refunds that give money back, as of the night. The rest of an authorisation that was captured in part, or not at all, comes as a
-- refund too, but nobody had paid it.
(SELECT r.id, r.charge_id, r.amount_minor, r.currency, s.status, s.effective_at AS status_since, r.reason, r.failure_reason, r.created_at,
        s.status NOT IN ('failed', 'canceled') AS is_live
 FROM reconciler.stripe_refunds r
 CROSS JOIN LATERAL (SELECT h.status, h.effective_at FROM reconciler.stripe_states h
                     WHERE h.object_id = r.id AND h.effective_at < @as_of::timestamptz
                     ORDER BY h.effective_at DESC, h.seen_at DESC LIMIT 1) s
 WHERE r.created_at < @as_of::timestamptz AND r.reason <> 'expired_uncaptured_charge'
   AND NOT EXISTS (SELECT FROM reconciler.stripe_balance_transactions t
                   WHERE t.id = r.balance_transaction_id AND t.reporting_category = 'partial_capture_reversal'))
