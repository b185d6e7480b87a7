-- The open errors that were accepted at a closing.
SELECT a.break_id, b.kind, b.subject_type, b.subject_id, a.accepted_by, a.reason, a.at
FROM reconciler.period_acceptances a
CROSS JOIN LATERAL (SELECT b.kind, b.subject_type, b.subject_id FROM reconciler.breaks b
                    WHERE b.account_id = a.account_id AND b.break_id = a.break_id ORDER BY b.opened_on DESC LIMIT 1) b
WHERE a.period = @period::text AND a.action_no = @action_no::int
ORDER BY a.break_id COLLATE "C", a.account_id COLLATE "C"
