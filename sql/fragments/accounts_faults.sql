-- What is wrong with each row of looked_at, field by field.
fault AS (
    SELECT x.n, coalesce(x.id, '') AS account_id, coalesce(nullif(x.id, ''), '(none)') AS row_id, f.field, f.value, f.problem
    FROM looked_at x
    CROSS JOIN LATERAL (VALUES
        ('id', x.id, 'is empty', coalesce(x.id, '') = ''),
        ('email', CASE WHEN x.email IS NULL THEN NULL ELSE '(set)' END, 'is null', x.email IS NULL),
        ('status', x.status, 'is not active, suspended or closed', (x.status IN ('active', 'suspended', 'closed')) IS NOT TRUE),
        ('created_at', x.created_at::text, 'is null, before 2000 or after 2199', (x.created_at {{ sane_time }}) IS NOT TRUE)
    ) AS f (field, value, problem, bad)
    WHERE f.bad
    UNION ALL
    SELECT x.n, coalesce(x.id, ''), coalesce(nullif(x.id, ''), '(none)'), '(row)', '', 'breaks the contract' FROM looked_at x
)
