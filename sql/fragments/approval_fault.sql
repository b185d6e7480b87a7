-- What the audit log has against approval a; '' when it has the approval just as it is.
(SELECT CASE WHEN c.subject_id IS NULL THEN 'the audit log does not have it'
             WHEN c.detail <> 'sha256 ' || a.plan_sha256 || ', by ' || a.approved_by THEN 'the audit log says otherwise: ' || c.detail
             WHEN l.link IS NULL THEN 'its link in the audit log is missing'
             WHEN l.actor <> a.approved_by OR l.run <> 'refunds approve ' || a.plan_id OR l.at <> a.approved_at
                 THEN 'its link in the audit log is by ' || l.actor || ' at ' || l.at || ', in ' || l.run
             ELSE '' END
 FROM (SELECT 1) one
 LEFT JOIN reconciler.audit_changes c ON c.account_id = '' AND c.subject = 'refund_plan' AND c.subject_id = a.plan_id AND c.change = 'approved'
 LEFT JOIN reconciler.audit_links l ON l.link = c.link)
