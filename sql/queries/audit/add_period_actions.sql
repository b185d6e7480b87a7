INSERT INTO reconciler.audit_changes (account_id, subject, subject_id, change, detail, link, change_no, sha256)
SELECT c.*, {{ audit_change_hash }}
FROM (SELECT ''::text AS account_id, 'period'::text AS subject, p.period AS subject_id, p.action_no::text AS change,
             p.action || ' by ' || p.actor || CASE WHEN p.reason = '' THEN '' ELSE ': ' || p.reason END AS detail, @link::bigint AS link,
             (row_number() OVER (ORDER BY p.period, p.action_no) + @offset::int)::int AS change_no
      FROM reconciler.periods p
      WHERE NOT EXISTS (SELECT FROM reconciler.audit_changes a
                        WHERE a.account_id = '' AND a.subject = 'period' AND a.subject_id = p.period AND a.change = p.action_no::text)) c
