-- Credit-backs in the ledger which the log doesn't have.
WITH posted AS MATERIALIZED (SELECT b.account_id, b.entry_id, b.job_id FROM reconciler.credit_backs b WHERE b.decision = 'credited')
SELECT b.entry_id AS subject_id, 'the credit-back of job ' || b.job_id || ' was posted' AS problem
FROM posted b
WHERE NOT EXISTS (SELECT FROM reconciler.audit_changes a
                  WHERE a.account_id = b.account_id AND a.subject = 'credit_entry' AND a.subject_id = b.entry_id AND a.change = 'posted')
ORDER BY 1
LIMIT @limit::int
