-- What is wrong with each row of looked_at, field by field.
fault AS (
    SELECT x.n, coalesce(x.account_id, '') AS account_id, coalesce(nullif(x.id, ''), '(none)') AS row_id, f.field, f.value, f.problem
    FROM looked_at x
    CROSS JOIN LATERAL (VALUES
        ('id', x.id, 'is empty', coalesce(x.id, '') = ''),
        ('kind', x.kind, 'is not unused_credits or failed_job', (x.kind IN ('unused_credits', 'failed_job')) IS NOT TRUE),
        ('account_email', CASE WHEN x.account_email IS NULL THEN NULL ELSE '(set)' END, 'is null', x.account_email IS NULL),
        ('reason', CASE WHEN x.reason IS NULL THEN NULL ELSE '(set)' END, 'is null', x.reason IS NULL),
        ('status', x.status, 'is not pending, approved, denied or withdrawn', (x.status IN ('pending', 'approved', 'denied', 'withdrawn')) IS NOT TRUE),
        ('requested_at', x.requested_at::text, 'is null, before 2000 or after 2199', (x.requested_at {{ sane_time }}) IS NOT TRUE),
        ('decided_at', x.decided_at::text, 'is before 2000, after 2199 or before requested_at', (x.decided_at {{ sane_time }} AND x.decided_at >= x.requested_at) IS FALSE),
        ('stated_amount_minor', x.stated_amount_minor::text, 'is negative', x.stated_amount_minor < 0),
        ('stated_currency', x.stated_currency, 'is not a currency of ISO 4217 in lower case', x.stated_currency NOT IN ({{ currencies }}))
    ) AS f (field, value, problem, bad)
    WHERE f.bad
    UNION ALL
    SELECT x.n, coalesce(x.account_id, ''), coalesce(nullif(x.id, ''), '(none)'), '(row)', '', 'breaks the contract' FROM looked_at x
)
