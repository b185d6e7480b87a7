-- Credit-backs of the night that are in the ledger and not in the log yet.
INSERT INTO reconciler.audit_changes (account_id, subject, subject_id, change, detail, link, change_no, sha256)
SELECT c.*, {{ audit_change_hash }}
FROM (SELECT b.account_id, 'credit_entry'::text AS subject, b.entry_id AS subject_id, 'posted'::text AS change,
             'credit_back ' || b.credit_back || ' job ' || b.job_id AS detail, @link::bigint AS link,
             (row_number() OVER (ORDER BY b.job_id COLLATE "C", b.account_id COLLATE "C") + @offset::int)::int AS change_no
      FROM reconciler.credit_backs b
      WHERE b.business_date = @date::date AND b.decision = 'credited'
        AND NOT EXISTS (SELECT FROM reconciler.audit_changes a
                        WHERE a.account_id = b.account_id AND a.subject = 'credit_entry' AND a.subject_id = b.entry_id AND a.change = 'posted')) c
