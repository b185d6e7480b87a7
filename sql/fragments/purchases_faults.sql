-- What is wrong with each row of looked_at, field by field.
fault AS (
    SELECT x.n, coalesce(x.account_id, '') AS account_id, coalesce(nullif(x.id, ''), '(none)') AS row_id, f.field, f.value, f.problem
    FROM looked_at x
    CROSS JOIN LATERAL (VALUES
        ('id', x.id, 'is empty', coalesce(x.id, '') = ''),
        ('account_id', x.account_id, 'is empty', coalesce(x.account_id, '') = ''),
        ('kind', x.kind, 'is not credits or subscription', (x.kind IN ('credits', 'subscription')) IS NOT TRUE),
        ('credits', x.credits::text, 'is null or negative', (x.credits >= 0) IS NOT TRUE),
        ('amount_minor', x.amount_minor::text, 'is null or negative', (x.amount_minor >= 0) IS NOT TRUE),
        ('currency', x.currency, 'is not a currency of ISO 4217 in lower case', (x.currency IN ({{ currencies }})) IS NOT TRUE),
        ('status', x.status, 'is not pending, completed or failed', (x.status IN ('pending', 'completed', 'failed')) IS NOT TRUE),
        ('created_at', x.created_at::text, 'is null, before 2000 or after 2199', (x.created_at {{ sane_time }}) IS NOT TRUE),
        ('completed_at', x.completed_at::text, 'is missing for a completed purchase', x.status = 'completed' AND x.completed_at IS NULL),
        ('completed_at', x.completed_at::text, 'is before 2000, after 2199 or before created_at', (x.completed_at {{ sane_time }} AND x.completed_at >= x.created_at) IS FALSE)
    ) AS f (field, value, problem, bad)
    WHERE f.bad
    UNION ALL
    SELECT x.n, coalesce(x.account_id, ''), coalesce(nullif(x.id, ''), '(none)'), '(row)', '', 'breaks the contract' FROM looked_at x
)
