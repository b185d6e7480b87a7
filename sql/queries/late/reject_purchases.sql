-- Rows stamped in reported nights, [@begins, @ends), and not in this one, that break the contract and have not been named by an earlier night: they turned up since.
WITH looked_at AS MATERIALIZED (
    SELECT row_number() OVER () AS n, e.*
    FROM source.purchases e
    WHERE (created_at >= @begins::timestamptz AND created_at < @ends::timestamptz OR completed_at >= @begins::timestamptz AND completed_at < @ends::timestamptz)
      AND ({{ purchase_is_valid }}) IS NOT TRUE
      AND (completed_at < @begin::timestamptz OR completed_at IS NULL)
      AND NOT EXISTS (SELECT FROM reconciler.rejects x WHERE x.relation = 'purchases' AND x.row_id = coalesce(nullif(e.id, ''), '(none)') AND x.business_date < @date::date)
), {{ purchases_faults }}
INSERT INTO reconciler.rejects (account_id, business_date, relation, row_id, field, value, problem)
SELECT account_id, @date::date, 'purchases', row_id, field, coalesce(min(value), 'null'), 'turned up late: ' || min(problem)
FROM fault f
WHERE field <> '(row)' OR NOT EXISTS (SELECT FROM fault g WHERE g.n = f.n AND g.field <> '(row)')
GROUP BY account_id, row_id, field
ON CONFLICT DO NOTHING
