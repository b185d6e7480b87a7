SELECT p.purchases::text AS purchases, p.credits::text AS credits, e.granted::text AS granted
FROM (SELECT count(*) AS purchases, coalesce(sum(credits), 0) AS credits
      FROM {{ valid_purchases }} p
      WHERE status = 'completed' AND completed_at >= @begin::timestamptz AND completed_at < @end::timestamptz) p,
     (SELECT coalesce(sum(credits), 0) AS granted FROM {{ entries_of_night }} e WHERE kind = 'purchase') e
