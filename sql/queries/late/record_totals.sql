-- What the night reads: per relation as a whole (bucket -1), and the ledger in buckets, so that an entry that turns up later can be named.
WITH n AS (SELECT @begin::timestamptz AS begins, @end::timestamptz AS ends)
INSERT INTO reconciler.input_totals (business_date, relation, bucket, buckets, rows, amount, id_hash)
SELECT @date::date, r.relation, r.bucket, @buckets::int, count(*), sum(r.amount), sum(r.hash)
FROM (SELECT x.relation, CASE x.relation WHEN 'credit_entries' THEN hashtextextended(x.id, 0) & (@buckets::int - 1) ELSE -1 END AS bucket,
             x.amount, hashtextextended(x.id, 0) AS hash
      FROM n CROSS JOIN LATERAL {{ night_rows }} x) r
GROUP BY 2, 3
