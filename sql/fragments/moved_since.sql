-- What entries e say of an account's net usage and of its credits.
coalesce(-sum(e.credits) FILTER (WHERE e.kind IN ('usage', 'credit_back') OR e.kind = 'adjustment' AND e.credits <= 0), 0) AS net_usage,
coalesce(sum(e.credits), 0) AS credits
