-- All there are: a night looks up any of them.
WITH twice AS (
    SELECT x.id, '' AS account_id, count(*) AS rows
    FROM every_row_of.accounts x
    WHERE x.id <> '' AND (x.created_at < @end::timestamptz) IS NOT FALSE
    GROUP BY x.id
    HAVING count(*) > 1
), {{ reject_surplus }}
