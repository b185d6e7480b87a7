-- Changes asked for or effective in the night, and those whose time can't say of which night they are. What breaks the contract is named, field by field;
-- a row that no fault explains is named all the same. A personal value is not repeated.
WITH looked_at AS MATERIALIZED (
    SELECT row_number() OVER () AS n, e.*
    FROM source.subscription_changes e
    WHERE (requested_at >= @begin::timestamptz AND requested_at < @end::timestamptz OR effective_at >= @begin::timestamptz AND effective_at < @end::timestamptz OR requested_at IS NULL OR requested_at < timestamptz '2000-01-01 00:00:00Z' OR requested_at > timestamptz '2199-12-31 23:59:59Z')
      AND ({{ subscription_change_is_valid }}) IS NOT TRUE
), fault AS (
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
), kept AS (
    INSERT INTO reconciler.rejects (account_id, business_date, relation, row_id, field, value, problem)
    SELECT account_id, @date::date, 'subscription_changes', row_id, field, coalesce(min(value), 'null'), min(problem)
    FROM fault f
    WHERE field <> '(row)' OR NOT EXISTS (SELECT FROM fault g WHERE g.n = f.n AND g.field <> '(row)')
    GROUP BY account_id, row_id, field
)
SELECT count(*)::text FROM looked_at
