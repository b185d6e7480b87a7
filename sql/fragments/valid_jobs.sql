-- Jobs that keep the contract.
(SELECT id, account_id, kind, model, status, failure_code, credit_cost, created_at, finished_at
 FROM source.jobs
 WHERE {{ job_is_valid }})
