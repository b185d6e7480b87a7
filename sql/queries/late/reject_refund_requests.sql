-- Rows stamped in reported nights, [@begins, @ends), and not in this one, that break the contract and have not been named by an earlier night: they turned up since.
WITH looked_at AS MATERIALIZED (
    SELECT row_number() OVER () AS n, e.*
    FROM source.refund_requests e
    WHERE requested_at >= @begins::timestamptz AND requested_at < @ends::timestamptz
      AND ({{ request_is_valid }}) IS NOT TRUE
      AND NOT EXISTS (SELECT FROM reconciler.rejects x WHERE x.relation = 'refund_requests' AND x.row_id = coalesce(nullif(e.id, ''), '(none)') AND x.business_date < @date::date)
), {{ refund_requests_faults }}
INSERT INTO reconciler.rejects (account_id, business_date, relation, row_id, field, value, problem)
SELECT account_id, @date::date, 'refund_requests', row_id, field, coalesce(min(value), 'null'), 'turned up late: ' || min(problem)
FROM fault f
WHERE field <> '(row)' OR NOT EXISTS (SELECT FROM fault g WHERE g.n = f.n AND g.field <> '(row)')
GROUP BY account_id, row_id, field
ON CONFLICT DO NOTHING
