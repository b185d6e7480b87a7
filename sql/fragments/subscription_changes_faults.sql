-- What is wrong with each row of looked_at, field by field.
fault AS (
    SELECT x.n, coalesce(x.account_id, '') AS account_id, coalesce(nullif(x.id, ''), '(none)') AS row_id, f.field, f.value, f.problem
    FROM looked_at x
    CROSS JOIN LATERAL (VALUES
        ('id', x.id, 'is empty', coalesce(x.id, '') = ''),
        ('account_id', x.account_id, 'is empty', coalesce(x.account_id, '') = ''),
        ('subscription_id', x.subscription_id, 'is empty', coalesce(x.subscription_id, '') = ''),
        ('kind', x.kind, 'is not upgrade, downgrade or cancel', (x.kind IN ('upgrade', 'downgrade', 'cancel')) IS NOT TRUE),
        ('from_plan', x.from_plan::text, 'is null', x.from_plan IS NULL),
        ('requested_at', x.requested_at::text, 'is null, before 2000 or after 2199', (x.requested_at {{ sane_time }}) IS NOT TRUE),
        ('effective_at', x.effective_at::text, 'is null, before 2000 or after 2199', (x.effective_at {{ sane_time }}) IS NOT TRUE)
    ) AS f (field, value, problem, bad)
    WHERE f.bad
    UNION ALL
    SELECT x.n, coalesce(x.account_id, ''), coalesce(nullif(x.id, ''), '(none)'), '(row)', '', 'breaks the contract' FROM looked_at x
)
