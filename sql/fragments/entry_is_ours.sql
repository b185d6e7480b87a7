-- Entry e is a credit-back that we have posted.
(e.kind = 'credit_back' AND e.idempotency_key IS NOT NULL AND e.idempotency_key LIKE 'reconciler:%')
