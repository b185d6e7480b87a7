-- What the night has read of the relations that are added up.
SELECT relation, coalesce(reread_rows, rows) AS rows, coalesce(reread_amount, amount) AS amount, coalesce(reread_id_hash, id_hash) AS id_hash
FROM reconciler.input_totals
WHERE business_date = @date::date AND relation <> 'subscription_changes'
ORDER BY relation COLLATE "C"
