-- How often somebody has worked on a break. The audit lock, taken before, lets nobody in between.
SELECT count(*) FROM reconciler.break_work w WHERE w.break_id = @break_id::text
