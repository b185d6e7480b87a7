-- What people did about the named breaks and the log doesn't have yet.
INSERT INTO reconciler.audit_changes (account_id, subject, subject_id, change, detail, link, change_no, sha256)
SELECT c.*, {{ audit_change_hash }}
FROM (SELECT w.account_id, 'break'::text AS subject, w.break_id AS subject_id, 'work/' || w.work_no AS change,
             {{ break_work_detail }} AS detail, @link::bigint AS link,
             (row_number() OVER (ORDER BY w.break_id COLLATE "C", w.account_id COLLATE "C", w.work_no) + @offset::int)::int AS change_no
      FROM reconciler.break_work w
      WHERE w.break_id = ANY (@break_ids::text[])
        AND NOT EXISTS (SELECT FROM reconciler.audit_changes a
                        WHERE a.account_id = w.account_id AND a.subject = 'break' AND a.subject_id = w.break_id
                          AND a.change = 'work/' || w.work_no)) c
