-- Payouts that are at the bank and that the journal has not there, or the other way round, of those that something happened to lately, or of which
-- something has arrived; and those that had left Stripe beforehand, before the books began, and never arrived.
SELECT p.id AS payout_id, p.currency, p.amount_minor, now.status <> 'paid' AS returned, was.paid AS was_paid, p.beforehand
FROM (SELECT h.object_id AS id FROM reconciler.stripe_states h WHERE h.effective_at >= @moved_since::timestamptz AND h.effective_at < @end::timestamptz
      UNION
      SELECT t.source_id FROM reconciler.stripe_late x
      JOIN reconciler.stripe_balance_transactions t ON t.id = x.id AND t.reporting_category IN ('payout', 'payout_reversal')
      WHERE x.booked_on = @date::date) moved
JOIN LATERAL (SELECT p.id, p.currency, p.amount_minor, coalesce(bool_and({{ is_beforehand }}), p.created_at < @books_begin::timestamptz) AS beforehand
              FROM reconciler.stripe_payouts p
              LEFT JOIN reconciler.stripe_balance_transactions m ON m.source_id = p.id AND m.source_id <> '' AND m.reporting_category = 'payout'
              LEFT JOIN reconciler.stripe_late x ON x.id = m.id
              WHERE p.id = moved.id
              GROUP BY p.id) p ON true
CROSS JOIN LATERAL (SELECT h.status, h.effective_at FROM reconciler.stripe_states h WHERE h.object_id = p.id AND h.effective_at < @end::timestamptz
                    ORDER BY h.effective_at DESC, h.seen_at DESC LIMIT 1) now
CROSS JOIN LATERAL (SELECT coalesce(sum(l.amount_minor) FILTER (WHERE l.role = 'bank'), 0)
                           + CASE WHEN b.before = 'paid' THEN p.amount_minor ELSE 0 END <> 0 AS paid,
                           count(l.source) > 0 OR b.before IN ('paid', 'failed', 'canceled') AS known
                    FROM (SELECT CASE WHEN p.beforehand THEN (SELECT h.status FROM reconciler.stripe_states h WHERE h.object_id = p.id AND h.effective_at < @books_begin::timestamptz
                                                              ORDER BY h.effective_at DESC, h.seen_at DESC LIMIT 1) END AS before) b
                    LEFT JOIN reconciler.journal_lines l ON l.source = p.id AND l.source <> '' AND l.business_date >= @begin_date::date AND l.business_date < @date::date
                    GROUP BY b.before) was
WHERE p.amount_minor <> 0
  AND ((now.status = 'paid') <> was.paid OR p.beforehand AND now.status IN ('failed', 'canceled') AND NOT was.known)
ORDER BY p.id COLLATE "C"
