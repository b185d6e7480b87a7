SELECT w.at, w.actor, coalesce(w.owner, '') AS owner, coalesce(w.state, '') AS state, w.due_on, w.note
FROM reconciler.break_work w
WHERE w.break_id = @break_id::text
ORDER BY w.account_id, w.work_no
