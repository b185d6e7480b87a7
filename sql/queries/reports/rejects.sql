SELECT relation, row_id, field, account_id, value, problem
FROM reconciler.rejects
WHERE business_date = @date::date
ORDER BY relation COLLATE "C", row_id COLLATE "C", field COLLATE "C", account_id COLLATE "C"
