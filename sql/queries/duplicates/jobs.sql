-- Jobs of the night whose id is there more than once, and those among the ones that it looks at exactly, of whatever night.
WITH suspect AS MATERIALIZED (
    SELECT x.id FROM every_row_of.jobs x
    WHERE NOT @spread::boolean AND {{ jobs_searched }}
    GROUP BY x.id
    HAVING count(*) > 1
    UNION
    {{ spread_twice }}
    UNION
    SELECT x.id FROM every_row_of.jobs x
    WHERE x.finished_at >= @begin::timestamptz AND x.finished_at < @end::timestamptz AND x.status IN ('failed', 'interrupted', 'canceled')
    UNION
    SELECT x.id FROM every_row_of.jobs x WHERE (x.finished_at IS NULL OR x.finished_at >= @end::timestamptz) AND x.created_at < @end::timestamptz
    UNION
    SELECT e.job_id FROM every_row_of.credit_entries e
    WHERE e.created_at >= @begin::timestamptz AND e.created_at < @end::timestamptz AND e.kind <> 'usage'
    UNION
    SELECT b.subject_id FROM reconciler.breaks b WHERE b.subject_type = 'job' AND b.opened_on < @date::date AND (b.closed_on IS NULL OR b.closed_on >= @date::date)
    UNION
    SELECT c.job_id FROM reconciler.credit_backs c WHERE c.decision = 'pending' AND c.business_date < @date::date
    UNION
    SELECT r.job_id FROM every_row_of.refund_requests r WHERE r.status IN ('pending', 'approved') OR r.requested_at >= @begin::timestamptz OR r.decided_at >= @begin::timestamptz
), counted AS MATERIALIZED (
    SELECT s.id, x.account_id, x.rows
    FROM suspect s
    CROSS JOIN LATERAL (SELECT x.account_id, count(*) AS rows FROM every_row_of.jobs x
                        WHERE x.id = s.id AND (x.created_at < @end::timestamptz) IS NOT FALSE GROUP BY x.account_id) x
    WHERE s.id <> ''
), twice AS (
    SELECT id, coalesce(min(account_id COLLATE "C"), '') AS account_id, sum(rows) AS rows FROM counted GROUP BY id HAVING sum(rows) > 1
), {{ reject_surplus }}
