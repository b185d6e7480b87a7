SELECT relation, rows, amount, id_hash
FROM reconciler.input_totals
WHERE business_date = @date::date AND bucket = -1
ORDER BY relation COLLATE "C"
