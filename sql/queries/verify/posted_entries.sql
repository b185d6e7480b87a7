-- Where an entry of the ledger is not what was posted, field by field: of the entries that the night caused, which are its credit-backs and the refunds
-- that it approved.
WITH credited AS MATERIALIZED (
    SELECT c.entry_id, c.account_id, 'credit_back' AS kind, c.credit_back::numeric AS credits, c.job_id, NULL::text AS purchase_id,
           'reconciler:credit_back:' || c.job_id || ':' || c.credited_ever AS idempotency_key, c.booked_at
    FROM reconciler.credit_backs c
    WHERE c.business_date = @date::date AND c.decision = 'credited'
), refunded AS MATERIALIZED (
    -- What others gave back counts as the release, under whatever key they gave it.
    SELECT x.entry_id, m.account_id, x.kind, x.credits, NULL::text AS job_id, m.purchase_id,
           CASE WHEN substr(x.entry_id, 4) = substr(m.intent_id, 4) THEN 'reconciler:' || x.kind || ':' || m.intent_id END AS idempotency_key,
           NULL::timestamptz AS booked_at
    FROM reconciler.refund_plan_items m
    JOIN reconciler.refund_intents i ON i.account_id = m.account_id AND i.plan_id = m.plan_id AND i.intent_id = m.intent_id
    CROSS JOIN LATERAL (VALUES (i.hold_entry_id, 'refund', -m.credits), (i.release_entry_id, 'refund_reversal', m.credits - i.given_back)) AS x (entry_id, kind, credits)
    WHERE m.decided_on = @date::date AND x.entry_id <> ''
), posted AS MATERIALIZED (
    SELECT * FROM credited UNION ALL SELECT * FROM refunded
), found AS MATERIALIZED (
    SELECT e.*
    FROM posted p
    CROSS JOIN LATERAL (SELECT DISTINCT ON (e.account_id, e.id) e.* FROM source.credit_entries e WHERE e.id = p.entry_id) e
)
SELECT p.entry_id, f.field, coalesce(f.expected, '') AS expected, coalesce(f.found, '') AS found, f.field = 'id' AS is_gone
FROM posted p
FULL JOIN found e ON e.id = p.entry_id -- what was found was posted; a planner that expects one makes no loop in a loop of it
CROSS JOIN LATERAL (VALUES
    ('id', p.entry_id, e.id),
    ('account_id', p.account_id, e.account_id),
    ('kind', p.kind, e.kind),
    ('credits', p.credits::text, e.credits::text),
    ('purchase_id', p.purchase_id, e.purchase_id),
    ('job_id', p.job_id, e.job_id),
    ('idempotency_key', coalesce(p.idempotency_key, e.idempotency_key), e.idempotency_key),
    ('created_at', to_char(coalesce(p.booked_at, e.created_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                   to_char(e.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
) AS f (field, expected, found)
WHERE f.expected IS DISTINCT FROM f.found AND (e.id IS NOT NULL OR f.field = 'id')
ORDER BY p.entry_id COLLATE "C", f.field
LIMIT @limit::int
