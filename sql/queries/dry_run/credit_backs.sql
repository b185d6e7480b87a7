SELECT c.job_id, c.account_id, c.failure_code, c.credit_back, c.clause, c.entry_id
FROM reconciler.credit_backs c
WHERE c.business_date = @date::date AND c.decision = 'credited' AND (c.job_id COLLATE "C", c.entry_id COLLATE "C") > (@after_job::text, @after_entry::text)
ORDER BY c.job_id COLLATE "C", c.entry_id COLLATE "C"
LIMIT @limit::int
