-- Posts nothing, and fails where the ledger would not take the worker's entries as they are.
EXPLAIN INSERT INTO source.credit_entries (id, account_id, kind, credits, purchase_id, job_id, idempotency_key, memo, created_at)
SELECT ''::text, ''::text, 'credit_back'::text, 0::bigint, ''::text, ''::text, ''::text, ''::text, timestamptz 'epoch'
WHERE false
