INSERT INTO reconciler.audit_changes (account_id, subject, subject_id, change, detail, link, change_no, sha256)
SELECT c.*, {{ audit_change_hash }}
FROM (SELECT account_id, subject, subject_id, change, detail, @link::bigint AS link, change_no + @offset::int AS change_no
      FROM json_populate_recordset(NULL::reconciler.audit_changes, @rows::json)) c
