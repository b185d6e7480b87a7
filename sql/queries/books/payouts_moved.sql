-- Payouts that arrived at the bank since the journal had got there, or came back from it; and those that had left Stripe beforehand, before the
-- books began, and never arrived.
SELECT p.id AS payout_id, p.currency, p.amount_minor, now.status <> 'paid' AS returned, coalesce(was.status, '') = 'paid' AS was_paid,
       p.created_at < @books_begin::timestamptz AS beforehand
FROM (SELECT DISTINCT h.object_id FROM reconciler.stripe_states h
      WHERE h.effective_at >= @from::timestamptz AND h.effective_at < @through::timestamptz) moved
JOIN reconciler.stripe_payouts p ON p.id = moved.object_id
CROSS JOIN LATERAL (SELECT h.status FROM reconciler.stripe_states h WHERE h.object_id = p.id AND h.effective_at < @through::timestamptz
                    ORDER BY h.effective_at DESC, h.seen_at DESC LIMIT 1) now
LEFT JOIN LATERAL (SELECT h.status FROM reconciler.stripe_states h WHERE h.object_id = p.id AND h.effective_at < @from::timestamptz
                   ORDER BY h.effective_at DESC, h.seen_at DESC LIMIT 1) was ON true
WHERE p.amount_minor <> 0
  AND ((now.status = 'paid') <> (coalesce(was.status, '') = 'paid')
       OR p.created_at < @books_begin::timestamptz AND now.status IN ('failed', 'canceled') AND coalesce(was.status, '') NOT IN ('failed', 'canceled'))
ORDER BY p.id COLLATE "C"
