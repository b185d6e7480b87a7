-- Jobs that have not finished, the young ones apart, and those of other nights that are looked at again.
SELECT j.unfinished::text AS unfinished, j.young::text AS young, c.again::text AS again
FROM (SELECT count(*) AS unfinished, count(*) FILTER (WHERE j.created_at >= @as_of::timestamptz - make_interval(secs => @stuck_after_seconds::int)) AS young
      FROM {{ valid_jobs }} j
      WHERE (j.finished_at IS NULL OR j.finished_at >= @as_of::timestamptz) AND j.created_at < @as_of::timestamptz) j,
     (SELECT count(*) AS again FROM reconciler.candidates c WHERE c.business_date = @date::date AND c.job = @job::text AND c.account_id = '') c
