-- What was last done to a period; nothing: it was never closed.
SELECT coalesce((SELECT p.action FROM reconciler.periods p WHERE p.period = @period::text ORDER BY p.action_no DESC LIMIT 1), 'open') AS state,
       coalesce((SELECT max(p.action_no) FROM reconciler.periods p WHERE p.period = @period::text), 0) AS actions
