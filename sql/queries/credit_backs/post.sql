-- The one place where the worker writes to the platform. The key comes from the job and from what had been credited before:
-- whoever tries the same credit-back again, in whatever night, runs into it.
INSERT INTO source.credit_entries (id, account_id, kind, credits, job_id, idempotency_key, memo, created_at)
SELECT c.entry_id, c.account_id, 'credit_back', c.credit_back, c.job_id, 'reconciler:credit_back:' || c.job_id || ':' || c.credited_ever,
       'failed job ' || c.job_id || ': ' || c.failure_code || ' (clause ' || c.clause || ', policy ' || c.policy_version || ')', c.booked_at
FROM reconciler.credit_backs c
WHERE c.business_date = @date::date AND c.decision = 'credited'
  AND NOT EXISTS (SELECT FROM source.credit_entries e WHERE e.account_id = c.account_id AND e.id = c.entry_id)
