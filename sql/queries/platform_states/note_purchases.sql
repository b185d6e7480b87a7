-- Of purchases those matter that were corrected after they were booked: set to failed, or to another amount or currency. They are looked for where
-- somebody has a reason to: among breaks about their payment, payments that failed lately, those of the last days, which may never have been a
-- break, and those that were corrected lately, which may be again.
WITH doubtful AS (
    SELECT b.account_id, b.subject_id AS purchase_id
    FROM reconciler.breaks b
    WHERE b.kind IN ('purchase_missing_at_stripe', 'charge_amount_mismatch', 'charge_currency_mismatch', 'charge_status_mismatch')
      AND (b.closed_on IS NULL OR b.closed_on >= (@as_of::timestamptz AT TIME ZONE 'UTC')::date - 8)
    UNION
    SELECT p.account_id, p.id
    FROM reconciler.stripe_states h
    JOIN reconciler.stripe_charges c ON c.id = h.object_id
    CROSS JOIN LATERAL {{ purchase_of_charge }} p
    WHERE h.status = 'failed' AND h.effective_at >= @as_of::timestamptz - interval '8 days' AND h.effective_at < @as_of::timestamptz
    UNION
    SELECT t.account_id, t.row_id FROM reconciler.platform_states t
    WHERE t.relation = 'purchases' AND t.seen_as_of >= @as_of::timestamptz - interval '8 days' AND t.seen_as_of < @as_of::timestamptz
    UNION
    SELECT b.account_id, b.purchase_id FROM reconciler.booked_purchases b
    WHERE b.booked_at >= @as_of::timestamptz - interval '3 days' AND b.booked_at < @as_of::timestamptz
), stated AS (
    SELECT p.account_id, p.id, jsonb_build_object('status', p.status, 'amount_minor', p.amount_minor, 'currency', p.currency) AS content,
           jsonb_build_object('status', 'completed', 'amount_minor', b.amount_minor, 'currency', b.currency) || coalesce(before.content, '{}') AS known,
               before.content IS NOT NULL AS is_known
    FROM doubtful d
    JOIN reconciler.booked_purchases b ON b.account_id = d.account_id AND b.purchase_id = d.purchase_id
    JOIN {{ valid_purchases }} p ON p.account_id = d.account_id AND p.id = d.purchase_id
    LEFT JOIN LATERAL (SELECT t.content FROM reconciler.platform_states t
                       WHERE t.relation = 'purchases' AND t.row_id = p.id AND (t.seen_as_of < @as_of::timestamptz OR @only_unknown::boolean)
                       ORDER BY t.seen_as_of DESC LIMIT 1) before ON true
)
INSERT INTO reconciler.platform_states (account_id, relation, row_id, seen_as_of, content)
SELECT s.account_id, 'purchases', s.id, @as_of::timestamptz, s.content
FROM stated s
WHERE s.content <> s.known AND NOT (@only_unknown::boolean AND s.is_known)
ON CONFLICT (account_id, relation, row_id, seen_as_of) DO UPDATE SET content = excluded.content
