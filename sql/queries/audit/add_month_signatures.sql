-- Reviews of months and errors that were accepted at their closing, which the log doesn't have yet.
INSERT INTO reconciler.audit_changes (account_id, subject, subject_id, change, detail, link, change_no, sha256)
SELECT c.*, {{ audit_change_hash }}
FROM (SELECT s.account_id, 'period'::text AS subject, s.period AS subject_id, s.change, s.detail, @link::bigint AS link,
             (row_number() OVER (ORDER BY s.period, s.change, s.account_id) + @offset::int)::int AS change_no
      FROM {{ month_signatures }} s
      WHERE NOT EXISTS (SELECT FROM reconciler.audit_changes a
                        WHERE a.account_id = s.account_id AND a.subject = 'period' AND a.subject_id = s.period AND a.change = s.change)) c
