-- What is wrong with each row of looked_at, field by field.
fault AS (
    SELECT x.n, coalesce(x.account_id, '') AS account_id, coalesce(nullif(x.id, ''), '(none)') AS row_id, f.field, f.value, f.problem
    FROM looked_at x
    CROSS JOIN LATERAL (VALUES
        ('id', x.id, 'is empty', coalesce(x.id, '') = ''),
        ('account_id', x.account_id, 'is empty', coalesce(x.account_id, '') = ''),
        ('stripe_subscription_id', x.stripe_subscription_id, 'is empty', coalesce(x.stripe_subscription_id, '') = ''),
        ('plan', x.plan::text, 'is null', x.plan IS NULL),
        ('status', x.status::text, 'is null', x.status IS NULL),
        ('current_period_start', x.current_period_start::text, 'is null, before 2000 or after 2199', (x.current_period_start {{ sane_time }}) IS NOT TRUE),
        ('current_period_end', x.current_period_end::text, 'is null, before 2000 or after 2199', (x.current_period_end {{ sane_time }}) IS NOT TRUE),
        ('current_period_end', x.current_period_end::text, 'is before current_period_start', x.current_period_end < x.current_period_start)
    ) AS f (field, value, problem, bad)
    WHERE f.bad
    UNION ALL
    SELECT x.n, coalesce(x.account_id, ''), coalesce(nullif(x.id, ''), '(none)'), '(row)', '', 'breaks the contract' FROM looked_at x
)
