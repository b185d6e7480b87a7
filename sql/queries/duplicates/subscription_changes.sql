-- All there are: a night looks up any of them.
WITH twice AS (
    SELECT x.id, coalesce(min(x.account_id COLLATE "C"), '') AS account_id, count(*) AS rows
    FROM every_row_of.subscription_changes x
    WHERE x.id <> '' AND (x.requested_at < @end::timestamptz) IS NOT FALSE
    GROUP BY x.id
    HAVING count(*) > 1
), {{ reject_surplus }}
