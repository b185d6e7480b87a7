-- Whether the night's refund windows are there to go by.
SELECT coalesce((SELECT r.status = 'completed' FROM reconciler.runs r
                 WHERE r.business_date = @date::date AND r.job = 'refund-windows' ORDER BY r.revision DESC LIMIT 1), false)
