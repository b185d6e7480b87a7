-- The rows that break the contract, of the relations in which there are any, field by field. What arrived late has been named before.
WITH [[ range . ]]looked_at_[[ .Name ]] AS MATERIALIZED (
    SELECT row_number() OVER () AS n, e.*
    FROM source.[[ .Name ]] e
    WHERE '[[ .Name ]]' = ANY (@relations::text[]) AND ([[ .OfNight ]])
      AND ([[ .Valid ]]) IS NOT TRUE
), [[ template "faults.sql" . ]], [[ end ]]kept AS (
    INSERT INTO reconciler.rejects (account_id, business_date, cause, relation, row_id, field, value, problem)
    SELECT account_id, @date::date, 'contract', relation, row_id, field, coalesce(min(value), 'null'), min(problem)
    FROM ([[ range $i, $r := . ]][[ if $i ]]
          UNION ALL [[ end ]]SELECT '[[ .Name ]]' AS relation, account_id, row_id, field, value, problem FROM fault_[[ .Name ]][[ end ]]) f
    WHERE NOT EXISTS (SELECT FROM reconciler.rejects l WHERE l.relation = f.relation AND l.row_id = f.row_id AND l.cause = 'late')
    GROUP BY account_id, relation, row_id, field
)
[[ range $i, $r := . ]][[ if $i ]]UNION ALL
[[ end ]]SELECT '[[ .Name ]]' AS relation, count(*)::text AS rows FROM looked_at_[[ .Name ]]
[[ end ]]