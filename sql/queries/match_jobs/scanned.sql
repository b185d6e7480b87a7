-- What there was to match, counted without any join: the other side of the control totals.
SELECT j.jobs::text AS jobs, j.cost::text AS cost, e.debits::text AS debits
FROM (SELECT count(*) AS jobs, coalesce(sum(credit_cost), 0) AS cost
      FROM {{ valid_jobs }} j WHERE finished_at >= @begin::timestamptz AND finished_at < @end::timestamptz) j,
     (SELECT coalesce(-sum(credits), 0) AS debits FROM {{ entries_of_night }} e WHERE kind = 'usage') e
