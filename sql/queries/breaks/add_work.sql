-- What a person does about an open break.
INSERT INTO reconciler.break_work (account_id, break_id, work_no, actor, owner, state, due_on, note, at)
SELECT b.account_id, b.break_id,
       1 + coalesce((SELECT max(w.work_no) FROM reconciler.break_work w WHERE w.account_id = b.account_id AND w.break_id = b.break_id), 0),
       @actor::text, nullif(@owner::text, ''), nullif(@state::text, ''), @due_on::date, @note::text, @at::timestamptz
FROM reconciler.breaks b
WHERE b.break_id = @break_id::text AND b.closed_on IS NULL
