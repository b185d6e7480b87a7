-- All there are: a night looks up any of them.
WITH twice AS (
    SELECT x.id, [[ with .AccountID ]]coalesce(min([[ . ]] COLLATE "C"), '')[[ else ]]''[[ end ]] AS account_id, count(*) AS rows
    FROM every_row_of.[[ .Name ]] x
    WHERE x.id <> '' AND (x.[[ .FirstSeen ]] < @end::timestamptz) IS NOT FALSE
    GROUP BY x.id
    HAVING count(*) > 1
), {{ reject_surplus }}
