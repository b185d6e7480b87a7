-- Ids that are there twice, and rows that arrived late, are searched for apart, before the night is read.
DELETE FROM reconciler.rejects
WHERE business_date = @date::date AND cause = 'contract'
