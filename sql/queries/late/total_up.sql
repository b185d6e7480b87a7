INSERT INTO reconciler.input_totals (business_date, relation, bucket, buckets, rows, amount, id_hash)
SELECT @date::date, r.relation, -1, @buckets::int, coalesce(sum(t.rows), 0), coalesce(sum(t.amount), 0), coalesce(sum(t.id_hash), 0)
FROM (VALUES ('credit_entries'), ('jobs'), ('purchases')) AS r (relation)
LEFT JOIN reconciler.input_totals t ON t.business_date = @date::date AND t.relation = r.relation
WHERE NOT EXISTS (SELECT FROM reconciler.input_totals b WHERE b.business_date = @date::date AND b.relation = r.relation AND b.bucket = -1)
GROUP BY r.relation
