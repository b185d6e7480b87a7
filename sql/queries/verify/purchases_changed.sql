-- Purchases that the platform has changed in place after the night had read them: field by field as they were at its end, and as they are now; with
-- the night that saw the change first, and the break that had asked for one.
WITH booked AS (
    SELECT b.account_id, b.purchase_id, b.booked_at >= @begin::timestamptz AS is_of_night, b.kind, b.credits::text AS credits, b.completed_at,
        coalesce(t.content ->> 'currency', b.currency) AS currency,
           coalesce(t.content ->> 'amount_minor', b.amount_minor::text) AS amount_minor, coalesce(t.content ->> 'status', 'completed') AS status
    FROM reconciler.booked_purchases b
    LEFT JOIN LATERAL (SELECT t.content FROM reconciler.platform_states t
                       WHERE t.relation = 'purchases' AND t.account_id = b.account_id AND t.row_id = b.purchase_id AND t.seen_as_of <= @as_of::timestamptz
                       ORDER BY t.seen_as_of DESC LIMIT 1) t ON true
    WHERE b.booked_at < @as_of::timestamptz
)
SELECT b.purchase_id, f.field, f.was, coalesce(f.now, '') AS now, p.id IS NULL AS is_gone, b.is_of_night,
       (SELECT min(t.seen_as_of) FROM reconciler.platform_states t
        WHERE t.relation = 'purchases' AND t.account_id = b.account_id AND t.row_id = b.purchase_id AND t.seen_as_of > @as_of::timestamptz) AS seen_as_of,
       coalesce((SELECT k.kind || ' ' || k.break_id FROM reconciler.breaks k
                 WHERE k.account_id = b.account_id AND k.subject_id = b.purchase_id AND k.kind = ANY (@corrected_kinds::text[])
                 ORDER BY k.opened_on DESC, k.break_id LIMIT 1), '') AS asked_by
FROM booked b
LEFT JOIN source.purchases p ON p.id = b.purchase_id AND p.account_id = b.account_id
CROSS JOIN LATERAL (VALUES
    ('id', b.purchase_id, p.id),
    ('status', b.status, p.status),
    ('amount_minor', b.amount_minor, p.amount_minor::text),
    ('currency', b.currency, p.currency),
    ('kind', b.kind, p.kind),
    ('credits', b.credits, p.credits::text),
    ('completed_at', to_char(b.completed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), to_char(p.completed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
) AS f (field, was, now)
WHERE f.was IS DISTINCT FROM f.now AND (p.id IS NOT NULL OR f.field = 'id')
ORDER BY b.purchase_id COLLATE "C", f.field
