-- The night that reads the late rows of jobs and purchases again has now accounted for them.
UPDATE reconciler.input_totals t
SET rows = now.rows, amount = now.amount
FROM (SELECT count(*) AS rows, coalesce(sum(x.amount), 0) AS amount
      FROM (SELECT @begins::timestamptz AS begins, @ends::timestamptz AS ends) n CROSS JOIN LATERAL {{ night_rows }} x
      WHERE x.relation = @relation::text) now
WHERE t.business_date = @rescanned::date AND t.relation = @relation::text
