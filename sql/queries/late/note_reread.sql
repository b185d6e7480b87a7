-- A rerun of an older night reads the jobs and purchases that have arrived in it since.
UPDATE reconciler.input_totals t
SET reread_rows = now.rows, reread_amount = now.amount, reread_id_hash = now.id_hash
FROM (SELECT 'jobs' AS relation, coalesce(sum(j.jobs), 0) AS rows, coalesce(sum(j.cost), 0) AS amount, coalesce(bit_xor(j.id_hash), 0) AS id_hash
      FROM reconciler.account_jobs j WHERE j.business_date = @date::date
      UNION ALL
      SELECT 'purchases', count(*), coalesce(sum(p.credits), 0), coalesce(bit_xor(hashtextextended(p.id, 0)), 0)
      FROM {{ valid_purchases }} p
      WHERE p.status = 'completed' AND p.completed_at >= @begin::timestamptz AND p.completed_at < @end::timestamptz) now
WHERE t.business_date = @date::date AND t.relation = now.relation
  AND (now.rows, now.amount, now.id_hash) IS DISTINCT FROM (coalesce(t.reread_rows, t.rows), coalesce(t.reread_amount, t.amount), coalesce(t.reread_id_hash, t.id_hash))
