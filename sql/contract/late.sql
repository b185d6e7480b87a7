-- Rows stamped in reported nights, [@begins, @ends), and not in this one, that break the contract and have not been named by an earlier
-- night: they arrived since.
WITH [[ range . ]][[ if .NamedLate ]]looked_at_[[ .Name ]] AS MATERIALIZED (
    SELECT row_number() OVER () AS n, e.*
    FROM source.[[ .Name ]] e
    WHERE '[[ .Name ]]' = ANY (@relations::text[]) AND ([[ .During "@begins" "@ends" ]])
      AND ([[ .Valid ]]) IS NOT TRUE
      AND [[ .OfEarlierNight ]]
      AND NOT EXISTS (SELECT FROM reconciler.rejects x WHERE x.relation = '[[ .Name ]]' AND x.row_id = coalesce(nullif(e.id, ''), '(none)') AND x.business_date < @date::date)
), [[ template "faults.sql" . ]], [[ end ]][[ end ]]fault AS (
    [[ range . ]][[ if .NamedLate ]]SELECT '[[ .Name ]]' AS relation, account_id, row_id, field, value, problem FROM fault_[[ .Name ]] UNION ALL
    [[ end ]][[ end ]]SELECT '', '', '', '', '', '' WHERE false
)
INSERT INTO reconciler.rejects (account_id, business_date, cause, relation, row_id, field, value, problem)
SELECT account_id, @date::date, 'late', relation, row_id, field, coalesce(min(value), 'null'), 'turned up late: ' || min(problem)
FROM fault f
GROUP BY account_id, relation, row_id, field
ON CONFLICT DO NOTHING
