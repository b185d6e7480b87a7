-- What breaks the contract among the newest rows, by field and problem, with the three values that most of them have. Personal values are not
-- repeated.
WITH sample AS MATERIALIZED (
    SELECT e.* FROM source.[[ .Name ]] e ORDER BY e.[[ .FirstSeen ]] DESC NULLS FIRST LIMIT @rows::int
), looked_at_[[ .Name ]] AS MATERIALIZED (
    SELECT row_number() OVER () AS n, e.* FROM sample e WHERE ([[ .Valid ]]) IS NOT TRUE
), [[ template "faults.sql" . ]], counted AS (
    SELECT f.field, f.problem, coalesce(f.value, 'null') AS value, count(*) AS rows
    FROM fault_[[ .Name ]] f
    GROUP BY 1, 2, 3
), ranked AS (
    SELECT c.*, sum(rows) OVER (PARTITION BY field, problem)::bigint AS all_rows, count(*) OVER (PARTITION BY field, problem) AS all_values,
           row_number() OVER (PARTITION BY field, problem ORDER BY rows DESC, value COLLATE "C") AS rank
    FROM counted c
)
SELECT field, problem, value, rows, all_rows, all_values, (SELECT count(*) FROM sample) AS sampled
FROM ranked
WHERE rank <= 3
ORDER BY all_rows DESC, field COLLATE "C", problem COLLATE "C", rank
