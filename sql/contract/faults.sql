[[- /* What is wrong with each row of looked_at_RELATION, field by field; a row that no check explains is named all the same. */ -]]
found_[[ .Name ]] AS (
    SELECT x.n, coalesce([[ .Owner ]], '') AS account_id, coalesce(nullif(x.id, ''), '(none)') AS row_id, f.field, f.value, f.problem
    FROM looked_at_[[ .Name ]] x
    CROSS JOIN LATERAL (VALUES
        [[ .Faults ]]
    ) AS f (field, value, problem, bad)
    WHERE f.bad
), fault_[[ .Name ]] AS (
    SELECT account_id, row_id, field, value, problem FROM found_[[ .Name ]]
    UNION ALL
    SELECT coalesce([[ .Owner ]], ''), coalesce(nullif(x.id, ''), '(none)'), '(row)', '', 'breaks the contract'
    FROM looked_at_[[ .Name ]] x WHERE x.n NOT IN (SELECT n FROM found_[[ .Name ]])
)
