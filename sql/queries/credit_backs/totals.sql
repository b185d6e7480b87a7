-- The failed jobs of the night, counted apart from what is decided about them; what is recorded about them; and, read back, what the records say
-- was credited and what the ledger holds under their entry ids. A job that one night has credited twice is one job; one that has run again since under
-- its id failed in another night, or not at all, and what it was credited stays. In the order of the night's index;
-- entries are looked up by their ids, which lie next to each other (IS TRUE: so that no planner prefers the index of their jobs).
SELECT j.failed, c.decided, c.pending, c.records, c.recorded, c.entries, c.posted
FROM (SELECT count(*) AS failed FROM {{ valid_jobs }} j
      WHERE j.finished_at >= @begin::timestamptz AND j.finished_at < @end::timestamptz AND j.status IN ('failed', 'interrupted', 'canceled')) j,
     (SELECT count(*) FILTER (WHERE c.is_of_night AND NOT c.is_pending) AS decided, count(*) FILTER (WHERE c.is_of_night AND c.is_pending) AS pending,
             coalesce(sum(c.records), 0) AS records, coalesce(sum(c.recorded), 0) AS recorded,
             coalesce(sum(c.entries), 0) AS entries, coalesce(sum(c.posted), 0) AS posted
      FROM (SELECT bool_or(c.finished_at >= @begin::timestamptz AND c.finished_at < @end::timestamptz AND c.status IN ('failed', 'interrupted', 'canceled')
                           AND (c.decision <> 'credited' OR j.still_failed)) AS is_of_night,
                   bool_and(c.decision = 'pending') AS is_pending, count(*) FILTER (WHERE c.decision = 'credited') AS records,
                   sum(c.credit_back) AS recorded, count(e.credits) AS entries, sum(e.credits) AS posted
            FROM reconciler.credit_backs c
            LEFT JOIN LATERAL (SELECT e.credits FROM source.credit_entries e
                               WHERE c.decision = 'credited'
                                 AND e.id = c.entry_id AND e.account_id = c.account_id AND (e.job_id = c.job_id) IS TRUE AND e.kind = 'credit_back' LIMIT 1) e ON true
            LEFT JOIN LATERAL (SELECT true AS still_failed FROM {{ valid_jobs }} j
                               WHERE c.decision = 'credited' AND j.id = c.job_id AND j.account_id = c.account_id
                                 AND j.finished_at >= @begin::timestamptz AND j.finished_at < @end::timestamptz AND j.status IN ('failed', 'interrupted', 'canceled')
                               LIMIT 1) j ON true
            WHERE c.business_date = @date::date
            GROUP BY c.job_id, c.account_id) c) c
