-- Whose lots the decisions of the night need.
SELECT DISTINCT account_id FROM reconciler.request_matches WHERE business_date = @date::date AND hits = 1 ORDER BY 1
