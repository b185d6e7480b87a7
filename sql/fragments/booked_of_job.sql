-- What the entries e of an account say of a job; by account, so that each node adds up its own.
e.account_id, count(*) FILTER (WHERE e.credits <> 0) AS entries,
coalesce(-sum(e.credits) FILTER (WHERE e.kind IN ('usage', 'adjustment')), 0) AS net,
count(*) FILTER (WHERE e.kind = 'usage') AS debits,
coalesce(sum(e.credits) FILTER (WHERE e.kind = 'credit_back'), 0) AS credited,
coalesce(-sum(e.credits) FILTER (WHERE e.kind = 'adjustment' AND e.credits < 0), 0) AS taken
