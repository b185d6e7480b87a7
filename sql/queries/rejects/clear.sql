-- Ids that are there twice, and rows that turned up late, are searched for apart, before the night is read.
DELETE FROM reconciler.rejects
WHERE business_date = @date::date AND NOT (field = 'id' AND problem LIKE 'is not unique%') AND problem NOT LIKE 'turned up late%'
