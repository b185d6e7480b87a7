-- What reconcile.DisputeBooks says of disputes as of the night, and what the journal has written off of them before (was): of those that something
-- happened to lately, or of which something has arrived. What moved before the books began is in their opening balance.
SELECT d.id AS dispute_id, m.currency, d.amount_minor, d.currency = m.currency AS same_currency, d.status,
       m.withdrawn, m.returned, m.withdrawn_beforehand, m.returned_beforehand, was.loss AS loss_was, was.exchange AS exchange_was, was.beforehand AS beforehand_was,
       coalesce(rate.settled_minor, 0)::bigint AS settled_minor
FROM {{ disputes_as_of }} d
JOIN LATERAL (SELECT min(m.currency) AS currency, bool_or(m.created_at >= @moved_since::timestamptz OR m.booked_on = @date::date) AS moved,
                     sum(m.withdrawn_minor)::bigint AS withdrawn, sum(m.returned_minor)::bigint AS returned,
                     coalesce(sum(m.withdrawn_minor) FILTER (WHERE m.is_beforehand), 0)::bigint AS withdrawn_beforehand,
                     coalesce(sum(m.returned_minor) FILTER (WHERE m.is_beforehand), 0)::bigint AS returned_beforehand
              FROM (SELECT m.*, x.booked_on, {{ is_beforehand }} AS is_beforehand
                    FROM {{ dispute_moves }} m
                    LEFT JOIN reconciler.stripe_late x ON x.id = m.id
                    WHERE m.created_at < @as_of::timestamptz AND (x.id IS NULL OR x.booked_on <= @date::date)) m) m ON m.currency IS NOT NULL
CROSS JOIN LATERAL (SELECT coalesce(sum(l.amount_minor) FILTER (WHERE l.role = 'dispute_losses'), 0)::bigint AS loss,
                           coalesce(sum(l.amount_minor) FILTER (WHERE l.role = 'exchange_differences'), 0)::bigint AS exchange,
                           coalesce(sum(l.amount_minor) FILTER (WHERE l.role = 'opening_balances'), 0)::bigint AS beforehand
                    FROM reconciler.journal_lines l
                    WHERE l.source = d.id AND l.source <> '' AND l.business_date >= @begin_date::date AND l.business_date < @date::date) was
LEFT JOIN reconciler.stripe_charges c ON c.id = d.charge_id
LEFT JOIN LATERAL (SELECT r.settled_minor FROM (SELECT d.amount_minor AS minor, m.currency) asked CROSS JOIN LATERAL {{ at_charge_rate }} r) rate ON c.id IS NOT NULL
WHERE d.status_since >= @moved_since::timestamptz OR m.moved
ORDER BY d.id COLLATE "C"
