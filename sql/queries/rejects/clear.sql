-- Ids that are there twice are searched for apart, before anything is read.
DELETE FROM reconciler.rejects WHERE business_date = @date::date AND NOT (field = 'id' AND problem LIKE 'is not unique%')
