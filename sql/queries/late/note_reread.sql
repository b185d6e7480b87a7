-- A rerun of an older night reads the jobs and purchases that have turned up in it since.
UPDATE reconciler.input_totals t
SET reread_rows = now.rows, reread_amount = now.amount, reread_id_hash = now.id_hash
FROM (SELECT r.relation, count(x.id) AS rows, coalesce(sum(x.amount), 0) AS amount, coalesce(sum(hashtextextended(x.id, 0)::numeric), 0) AS id_hash
      FROM (SELECT @begin::timestamptz AS begins, @end::timestamptz AS ends) n
      CROSS JOIN (VALUES ('jobs'), ('purchases')) AS r (relation)
      LEFT JOIN LATERAL (SELECT * FROM {{ night_rows }} y WHERE y.relation = r.relation) x ON true
      GROUP BY 1) now
WHERE t.business_date = @date::date AND t.relation = now.relation AND t.bucket = -1
  AND (now.rows, now.amount, now.id_hash) IS DISTINCT FROM (coalesce(t.reread_rows, t.rows), coalesce(t.reread_amount, t.amount), coalesce(t.reread_id_hash, t.id_hash))
