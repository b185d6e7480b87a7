-- Purchases made or completed in the night, and those whose time can't say of which night they are. What breaks the contract is named, field by field;
-- a row that no fault explains is named all the same. A personal value is not repeated.
WITH looked_at AS MATERIALIZED (
    SELECT row_number() OVER () AS n, e.*
    FROM source.purchases e
    WHERE (created_at >= @begin::timestamptz AND created_at < @end::timestamptz OR completed_at >= @begin::timestamptz AND completed_at < @end::timestamptz OR created_at IS NULL OR created_at < timestamptz '2000-01-01 00:00:00Z' OR created_at > timestamptz '2199-12-31 23:59:59Z')
      AND ({{ purchase_is_valid }}) IS NOT TRUE
), fault AS (
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
), kept AS (
    INSERT INTO reconciler.rejects (account_id, business_date, relation, row_id, field, value, problem)
    SELECT account_id, @date::date, 'purchases', row_id, field, coalesce(min(value), 'null'), min(problem)
    FROM fault f
    WHERE field <> '(row)' OR NOT EXISTS (SELECT FROM fault g WHERE g.n = f.n AND g.field <> '(row)')
    GROUP BY account_id, row_id, field
)
SELECT count(*)::text FROM looked_at
