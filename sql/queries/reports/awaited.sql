-- What awaits its counterpart at the end of the night: of each check how many objects and the oldest of them; pending refunds by name.
WITH ranked AS (
    SELECT c.*, count(*) OVER (PARTITION BY c.control) AS objects,
           row_number() OVER (PARTITION BY c.control ORDER BY c.since NULLS LAST, c.subject_id COLLATE "C", c.account_id COLLATE "C") AS place
    FROM reconciler.stripe_checks c
    WHERE c.business_date = @date::date AND c.outcome = 'awaiting'
)
SELECT t.check_name, r.objects, r.subject_id, r.account_id, r.since, r.amount_minor AS amount, r.currency AS unit, r.detail
FROM ranked r
JOIN reconciler.control_totals t ON t.business_date = r.business_date AND t.job = r.job AND t.control = r.control AND t.unit = 'objects'
WHERE r.place = 1 OR r.control = 'refunds_stood' AND r.place <= 15
ORDER BY t.check_name COLLATE "C", r.place
