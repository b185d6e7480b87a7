-- Plans, their approvals, and turns of the switch which the log doesn't have, or has otherwise; approvals that only the log has.
SELECT p.plan_id AS subject_id, 'it was made by ' || p.made_by || ', and the audit log does not have it' AS problem
FROM reconciler.refund_plans p
WHERE NOT EXISTS (SELECT FROM reconciler.audit_changes a WHERE a.account_id = '' AND a.subject = 'refund_plan' AND a.subject_id = p.plan_id AND a.change = 'made'
                  AND a.detail = p.refunds || ' refunds, sha256 ' || p.plan_sha256 || ', by ' || p.made_by)
UNION ALL
SELECT a.plan_id, 'it was approved by ' || a.approved_by || ', and ' || f.fault
FROM reconciler.refund_approvals a
CROSS JOIN LATERAL (SELECT {{ approval_fault }} AS fault) f
WHERE f.fault <> ''
UNION ALL
SELECT c.subject_id, 'the audit log has an approval that is not there: ' || c.detail
FROM reconciler.audit_changes c
WHERE c.account_id = '' AND c.subject = 'refund_plan' AND c.change = 'approved'
  AND NOT EXISTS (SELECT FROM reconciler.refund_approvals a WHERE a.plan_id = c.subject_id)
UNION ALL
SELECT 'switch ' || s.action_no, 'it was ' || s.action || ' by ' || s.actor || ', and the audit log does not have it'
FROM reconciler.refund_switch s
WHERE NOT EXISTS (SELECT FROM reconciler.audit_changes a WHERE a.account_id = '' AND a.subject = 'refund_switch' AND a.subject_id = 'refunds'
                  AND a.change = s.action_no::text AND a.detail = s.action || ' by ' || s.actor || ': ' || s.reason)
ORDER BY 1, 2
LIMIT @limit::int
