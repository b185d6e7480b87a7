-- Entries of the night whose id is there more than once, and those among the ones that the worker has booked itself.
WITH suspect AS MATERIALIZED (
    SELECT x.id FROM every_row_of.credit_entries x
    WHERE x.created_at >= {{ duplicates_since }} AND x.created_at < @end::timestamptz
    GROUP BY x.id
    HAVING count(*) > 1
    UNION
    SELECT c.entry_id FROM reconciler.credit_backs c WHERE c.business_date IN (@date::date, @date::date - 1) AND c.decision = 'credited'
), twice AS (
    SELECT s.id, t.account_id, t.rows
    FROM suspect s
    CROSS JOIN LATERAL (SELECT coalesce(min(x.account_id COLLATE "C"), '') AS account_id, count(*) AS rows
                        FROM (SELECT * FROM every_row_of.credit_entries x WHERE x.id = s.id OFFSET 0) x WHERE (x.created_at < @end::timestamptz) IS NOT FALSE) t
    WHERE s.id <> '' AND t.rows > 1
), {{ reject_surplus }}
