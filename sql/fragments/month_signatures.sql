-- Reviews of months and accepted errors, as the audit log has them.
(SELECT ''::text AS account_id, r.period, r.action_no || ' reviewed' AS change, 'reviewed by ' || r.reviewed_by || ': manifest ' || r.manifest_sha256 AS detail
 FROM reconciler.period_reviews r
 UNION ALL
 SELECT a.account_id, a.period, a.action_no || ' accepted ' || a.break_id, 'accepted by ' || a.accepted_by || ': ' || a.reason
 FROM reconciler.period_acceptances a)
