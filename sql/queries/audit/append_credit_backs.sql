-- A link of the night's credit-backs that are in the ledger and not in the log yet.
WITH newest_link AS MATERIALIZED (SELECT link, sha256 FROM {{ newest_audit_link }} l),
posted AS MATERIALIZED (
    SELECT b.account_id, b.entry_id, b.job_id, b.credit_back FROM reconciler.credit_backs b WHERE b.business_date = @date::date AND b.decision = 'credited'
), audited AS (
    INSERT INTO reconciler.audit_changes AS added (account_id, subject, subject_id, change, detail, link, change_no, sha256)
    SELECT c.*, {{ audit_change_hash }}
    FROM (SELECT b.account_id, 'credit_entry'::text AS subject, b.entry_id AS subject_id, 'posted'::text AS change,
                 'credit_back ' || b.credit_back || ' job ' || b.job_id AS detail, (SELECT link + 1 FROM newest_link) AS link,
                 row_number() OVER (ORDER BY b.job_id COLLATE "C", b.account_id COLLATE "C")::int AS change_no
          FROM posted b
          LEFT JOIN reconciler.audit_changes a ON a.account_id = b.account_id AND a.subject = 'credit_entry' AND a.subject_id = b.entry_id AND a.change = 'posted'
          WHERE a.link IS NULL) c
    RETURNING added.*
)
{{ audit_link }}
