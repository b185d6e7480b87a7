-- A link of the events of the night's breaks of one job that are not in the log yet.
WITH newest_link AS MATERIALIZED (SELECT link, sha256 FROM {{ newest_audit_link }} l),
fresh AS MATERIALIZED (
    SELECT e.account_id, 'break'::text AS subject, e.break_id AS subject_id, e.business_date || '/' || e.event_no AS change,
           {{ audit_break_detail }} AS detail, (SELECT link + 1 FROM newest_link) AS link,
           row_number() OVER (ORDER BY e.break_id COLLATE "C", e.account_id COLLATE "C", e.event_no)::int AS change_no
    FROM reconciler.break_events e
    CROSS JOIN LATERAL (SELECT b.kind, b.subject_id, b.job FROM reconciler.breaks b
                        WHERE b.account_id = e.account_id AND b.break_id = e.break_id AND b.opened_on <= e.business_date
                        ORDER BY b.opened_on DESC LIMIT 1) b
    WHERE e.business_date = @date::date AND b.job = @job::text
      AND NOT EXISTS (SELECT FROM reconciler.audit_changes a
                      WHERE a.account_id = e.account_id AND a.subject = 'break' AND a.subject_id = e.break_id
                        AND a.change = e.business_date || '/' || e.event_no)
), audited AS (
    INSERT INTO reconciler.audit_changes (account_id, subject, subject_id, change, detail, link, change_no, sha256)
    SELECT c.*, {{ audit_change_hash }} FROM fresh c
    RETURNING *
)
{{ audit_link }}
