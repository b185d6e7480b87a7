-- Entries of the night whose id is there more than once, and those among the ones that the worker has booked itself.
WITH suspect AS MATERIALIZED (
    SELECT x.id FROM every_row_of.credit_entries x
    WHERE NOT @spread::boolean AND {{ entries_searched }}
    GROUP BY x.id
    HAVING count(*) > 1
    UNION
    {{ spread_twice }}
    UNION
    SELECT c.entry_id FROM reconciler.credit_backs c WHERE c.business_date IN (@date::date, @date::date - 1) AND c.decision = 'credited'
), counted AS MATERIALIZED (
    SELECT s.id, x.account_id, x.rows
    FROM suspect s
    CROSS JOIN LATERAL (SELECT x.account_id, count(*) AS rows FROM every_row_of.credit_entries x
                        WHERE x.id = s.id AND (x.created_at < @end::timestamptz) IS NOT FALSE GROUP BY x.account_id) x
    WHERE s.id <> ''
), twice AS (
    SELECT id, coalesce(min(account_id COLLATE "C"), '') AS account_id, sum(rows) AS rows FROM counted GROUP BY id HAVING sum(rows) > 1
), {{ reject_surplus }}
