SELECT count(*)::text AS unfinished, count(*) FILTER (WHERE j.created_at >= @as_of::timestamptz - make_interval(secs => @stuck_after_seconds::int))::text AS young
FROM {{ valid_jobs }} j
WHERE (j.finished_at IS NULL OR j.finished_at >= @as_of::timestamptz) AND j.created_at < @as_of::timestamptz
