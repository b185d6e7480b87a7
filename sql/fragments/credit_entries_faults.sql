-- What is wrong with each row of looked_at, field by field.
fault AS (
    SELECT x.n, coalesce(x.account_id, '') AS account_id, coalesce(nullif(x.id, ''), '(none)') AS row_id, f.field, f.value, f.problem
    FROM looked_at x
    CROSS JOIN LATERAL (VALUES
        ('id', x.id, 'is empty', coalesce(x.id, '') = ''),
        ('account_id', x.account_id, 'is empty', coalesce(x.account_id, '') = ''),
        ('kind', x.kind, 'is not a kind of entry that the ledger knows', (x.kind IN ('purchase', 'promo', 'usage', 'credit_back', 'refund', 'refund_reversal', 'adjustment')) IS NOT TRUE),
        ('credits', x.credits::text, 'is null', x.credits IS NULL),
        ('credits', x.credits::text, 'has the wrong sign for its kind', x.kind IN ('usage', 'refund') AND x.credits > 0 OR x.kind IN ('purchase', 'promo', 'credit_back', 'refund_reversal') AND x.credits < 0),
        ('created_at', x.created_at::text, 'is null, before 2000 or after 2199', (x.created_at {{ sane_time }}) IS NOT TRUE)
    ) AS f (field, value, problem, bad)
    WHERE f.bad
    UNION ALL
    SELECT x.n, coalesce(x.account_id, ''), coalesce(nullif(x.id, ''), '(none)'), '(row)', '', 'breaks the contract' FROM looked_at x
)
