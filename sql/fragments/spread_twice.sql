-- The ids that have met another one on their node, where they were spread.
SELECT i.id FROM reconciler.spread_ids i GROUP BY i.id HAVING count(*) > 1
