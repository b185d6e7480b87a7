-- What awaits its counterpart at the end of the night: of each check how many objects and the oldest of them; pending refunds by name.
WITH awaited AS (
    SELECT regexp_replace(check_name, ',? again$', '') AS check_name, subject_id, account_id, since, amount_minor, currency, detail
    FROM reconciler.stripe_checks
    WHERE business_date = @date::date AND outcome = 'awaiting'
), ranked AS (
    SELECT a.*, count(*) OVER (PARTITION BY check_name) AS objects,
           row_number() OVER (PARTITION BY check_name ORDER BY since NULLS LAST, subject_id COLLATE "C", account_id COLLATE "C") AS place
    FROM awaited a
)
SELECT check_name, objects, subject_id, account_id, since, amount_minor::text AS amount, currency AS unit, detail
FROM ranked
WHERE place = 1 OR check_name = 'refunds that stood' AND place <= 15
ORDER BY check_name COLLATE "C", place
