-- What is wrong with each row of looked_at, field by field.
fault AS (
    SELECT x.n, coalesce(x.account_id, '') AS account_id, coalesce(nullif(x.id, ''), '(none)') AS row_id, f.field, f.value, f.problem
    FROM looked_at x
    CROSS JOIN LATERAL (VALUES
        ('id', x.id, 'is empty', coalesce(x.id, '') = ''),
        ('account_id', x.account_id, 'is empty', coalesce(x.account_id, '') = ''),
        ('model', x.model::text, 'is null', x.model IS NULL),
        ('kind', x.kind, 'is not fine_tune, image or video', (x.kind IN ('fine_tune', 'image', 'video')) IS NOT TRUE),
        ('status', x.status, 'is not queued, running, succeeded, failed, interrupted or canceled', (x.status IN ('queued', 'running', 'succeeded', 'failed', 'interrupted', 'canceled')) IS NOT TRUE),
        ('credit_cost', x.credit_cost::text, 'is null or negative', (x.credit_cost >= 0) IS NOT TRUE),
        ('created_at', x.created_at::text, 'is null, before 2000 or after 2199', (x.created_at {{ sane_time }}) IS NOT TRUE),
        ('finished_at', x.finished_at::text, 'is missing for a job that has finished', x.status IN ('succeeded', 'failed', 'interrupted', 'canceled') AND x.finished_at IS NULL),
        ('finished_at', x.finished_at::text, 'is set for a job that has not finished', x.status IN ('queued', 'running') AND x.finished_at IS NOT NULL),
        ('finished_at', x.finished_at::text, 'is before 2000, after 2199 or before created_at', (x.finished_at {{ sane_time }} AND x.finished_at >= x.created_at) IS FALSE)
    ) AS f (field, value, problem, bad)
    WHERE f.bad
    UNION ALL
    SELECT x.n, coalesce(x.account_id, ''), coalesce(nullif(x.id, ''), '(none)'), '(row)', '', 'breaks the contract' FROM looked_at x
)
