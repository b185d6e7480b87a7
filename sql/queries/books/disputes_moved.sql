-- What reconcile.DisputeBooks says of disputes that something happened to since the journal had got there: as of then (was), and as of the
-- night. What moved before the books began is in their opening balance.
SELECT d.id AS dispute_id, m.currency, d.amount_minor, d.currency = m.currency AS same_currency, d.status, coalesce(was.status, '') AS status_was,
       m.withdrawn, m.returned, m.withdrawn_was, m.returned_was, m.withdrawn_beforehand, m.returned_beforehand,
       coalesce(rate.settled_minor, 0)::bigint AS settled_minor
FROM {{ disputes_as_of }} d
JOIN LATERAL (SELECT min(m.currency) AS currency, bool_or(m.created_at >= @from::timestamptz) AS moved,
                     sum(m.withdrawn_minor)::bigint AS withdrawn, sum(m.returned_minor)::bigint AS returned,
                     coalesce(sum(m.withdrawn_minor) FILTER (WHERE m.created_at < @from::timestamptz), 0)::bigint AS withdrawn_was,
                     coalesce(sum(m.returned_minor) FILTER (WHERE m.created_at < @from::timestamptz), 0)::bigint AS returned_was,
                     coalesce(sum(m.withdrawn_minor) FILTER (WHERE m.created_at < @books_begin::timestamptz), 0)::bigint AS withdrawn_beforehand,
                     coalesce(sum(m.returned_minor) FILTER (WHERE m.created_at < @books_begin::timestamptz), 0)::bigint AS returned_beforehand
              FROM {{ dispute_moves }} m WHERE m.created_at < @as_of::timestamptz) m ON m.currency IS NOT NULL
LEFT JOIN LATERAL (SELECT h.status FROM reconciler.stripe_states h WHERE h.object_id = d.id AND h.effective_at < @from::timestamptz
                   ORDER BY h.effective_at DESC, h.seen_at DESC LIMIT 1) was ON true
LEFT JOIN reconciler.stripe_charges c ON c.id = d.charge_id
LEFT JOIN LATERAL (SELECT r.settled_minor FROM (SELECT d.amount_minor AS minor, m.currency) asked CROSS JOIN LATERAL {{ at_charge_rate }} r) rate ON c.id IS NOT NULL
WHERE d.status_since >= @from::timestamptz OR m.moved
ORDER BY d.id COLLATE "C"
