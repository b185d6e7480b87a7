-- Work on breaks which the log doesn't have, or has otherwise.
SELECT w.break_id AS subject_id, 'work ' || w.work_no || ' by ' || w.actor AS problem
FROM reconciler.break_work w
WHERE NOT EXISTS (SELECT FROM reconciler.audit_changes a
                  WHERE a.account_id = w.account_id AND a.subject = 'break' AND a.subject_id = w.break_id AND a.change = 'work/' || w.work_no
                    AND a.detail = {{ break_work_detail }})
ORDER BY 1, 2
LIMIT @limit::int
