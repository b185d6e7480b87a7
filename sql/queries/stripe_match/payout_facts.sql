-- Payouts of the night, those whose state changed or that arrived in it, and those that are not tied out yet.
SELECT p.id AS payout_id, p.currency, s.status, p.automatic, p.method, p.type, p.created_at, (p.arrival_at AT TIME ZONE 'UTC')::date AS arrival_date,
       p.amount_minor, p.broken_down AS itemised, p.created_at >= @begin::timestamptz AS in_scan,
       p.created_at < @overdue_before::timestamptz AS overdue,
       coalesce(o.amount_minor, 0)::bigint AS own_minor, coalesce(f.amount_minor, 0)::bigint AS returned_minor,
       coalesce(t.transactions, 0) AS transactions, coalesce(t.gross, 0)::bigint AS gross_minor, coalesce(t.fee, 0)::bigint AS fee_minor,
       coalesce(t.net, 0)::bigint AS net_minor
FROM reconciler.stripe_payouts p
CROSS JOIN LATERAL (SELECT h.status, h.effective_at FROM reconciler.stripe_states h
                    WHERE h.object_id = p.id AND h.effective_at < @as_of::timestamptz
                    ORDER BY h.effective_at DESC, h.seen_at DESC LIMIT 1) s
LEFT JOIN reconciler.stripe_balance_transactions o ON o.id = p.balance_transaction_id AND o.created_at < @as_of::timestamptz
LEFT JOIN reconciler.stripe_balance_transactions f ON f.id = p.failure_balance_transaction_id AND f.created_at < @as_of::timestamptz
LEFT JOIN LATERAL (SELECT count(*) AS transactions, sum(t.amount_minor) AS gross, sum(t.fee_minor) AS fee, sum(t.net_minor) AS net
                   FROM reconciler.stripe_balance_transactions t
                   WHERE t.payout_id = p.id AND t.id <> p.balance_transaction_id) t ON true
WHERE p.created_at < @as_of::timestamptz
  AND (p.created_at >= @unseen::timestamptz OR s.effective_at >= @unseen::timestamptz
       OR (p.arrival_at >= @unseen::timestamptz AND p.arrival_at < @as_of::timestamptz)
       OR (p.automatic AND NOT p.broken_down)
       OR EXISTS (SELECT FROM reconciler.breaks b
                  WHERE b.job = @job::text AND b.subject_id = p.id
                    AND b.opened_on < @date::date AND (b.closed_on IS NULL OR b.closed_on >= @date::date)))
ORDER BY p.id
