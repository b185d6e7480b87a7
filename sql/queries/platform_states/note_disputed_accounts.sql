-- The accounts whose payments are disputed, as whether they are suspended is asked as of a night. No others matter.
INSERT INTO reconciler.platform_states (account_id, relation, row_id, seen_as_of, content)
WITH disputed AS (
    SELECT DISTINCT p.account_id
    FROM {{ disputes_as_of }} d
    JOIN {{ charges_as_of }} c ON c.id = d.charge_id
    CROSS JOIN LATERAL {{ purchase_of_charge }} p
)
SELECT a.id, 'accounts', a.id, @as_of::timestamptz, jsonb_build_object('status', a.status)
FROM disputed d
JOIN source.accounts a ON a.id = d.account_id
LEFT JOIN LATERAL (SELECT t.content FROM reconciler.platform_states t
                   WHERE t.relation = 'accounts' AND t.row_id = a.id AND (t.seen_as_of < @as_of::timestamptz OR @only_unknown::boolean)
                   ORDER BY t.seen_as_of DESC LIMIT 1) before ON true
WHERE before.content IS NULL OR NOT @only_unknown::boolean AND before.content IS DISTINCT FROM jsonb_build_object('status', a.status)
ON CONFLICT (account_id, relation, row_id, seen_as_of) DO UPDATE SET content = excluded.content
