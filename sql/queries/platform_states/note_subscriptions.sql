-- @only_unknown: leave what has a state as it is.
INSERT INTO reconciler.platform_states (account_id, relation, row_id, seen_as_of, content)
SELECT s.account_id, 'subscriptions', s.id, @as_of::timestamptz, to_jsonb(s)
FROM {{ valid_subscriptions }} s
LEFT JOIN LATERAL (SELECT t.content FROM reconciler.platform_states t
                   WHERE t.relation = 'subscriptions' AND t.row_id = s.id AND (t.seen_as_of < @as_of::timestamptz OR @only_unknown::boolean)
                   ORDER BY t.seen_as_of DESC LIMIT 1) before ON true
WHERE before.content IS NULL OR NOT @only_unknown::boolean AND before.content IS DISTINCT FROM to_jsonb(s)
ON CONFLICT (account_id, relation, row_id, seen_as_of) DO UPDATE SET content = excluded.content
