-- The failed jobs of the night, counted apart from what is decided about them; what is recorded about them; and, read back, what the records say
-- was credited and what the ledger holds under their entry ids. A job that one night has credited twice is one job.
SELECT j.failed, c.decided, c.pending, c.records, c.recorded, c.entries, c.posted
FROM (SELECT count(*) AS failed FROM {{ valid_jobs }} j
      WHERE j.finished_at >= @begin::timestamptz AND j.finished_at < @end::timestamptz AND j.status IN ('failed', 'interrupted', 'canceled')) j,
     (SELECT count(*) FILTER (WHERE c.is_of_night AND c.decision <> 'pending') AS decided,
             count(*) FILTER (WHERE c.is_of_night AND c.decision = 'pending') AS pending,
             count(*) FILTER (WHERE c.decision = 'credited') AS records,
             coalesce(sum(c.credit_back) FILTER (WHERE c.decision = 'credited'), 0) AS recorded,
             count(e.credits) AS entries, coalesce(sum(e.credits), 0) AS posted
      FROM (SELECT c.*, c.finished_at >= @begin::timestamptz AND c.finished_at < @end::timestamptz
                        AND c.status IN ('failed', 'interrupted', 'canceled')
                        AND row_number() OVER (PARTITION BY c.account_id, c.job_id ORDER BY c.credited_ever) = 1 AS is_of_night
            FROM reconciler.credit_backs c
            WHERE c.business_date = @date::date) c
      LEFT JOIN LATERAL (SELECT e.credits FROM source.credit_entries e
                         WHERE c.decision = 'credited'
                           AND e.id = c.entry_id AND e.account_id = c.account_id AND e.job_id = c.job_id AND e.kind = 'credit_back' LIMIT 1) e ON true) c
