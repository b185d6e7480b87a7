-- An account's newest jobs, with what they took and what was credited back.
SELECT j.id, coalesce(j.kind, '') AS kind, coalesce(j.model, '') AS model, coalesce(j.status, '') AS status, coalesce(j.failure_code, '') AS failure_code, j.finished_at,
       j.credit_cost AS cost, coalesce(-e.debited, 0) AS debited, coalesce(e.credited, 0) AS credited, coalesce(c.reason, '') AS reason
FROM (SELECT * FROM source.jobs j WHERE j.account_id = @account_id::text ORDER BY j.created_at DESC, j.id COLLATE "C" LIMIT @most::int) j
LEFT JOIN LATERAL (SELECT sum(e.credits) FILTER (WHERE e.kind IN ('usage', 'adjustment')) AS debited, sum(e.credits) FILTER (WHERE e.kind = 'credit_back') AS credited
                   FROM {{ entries }} e WHERE e.job_id = j.id AND e.account_id = @account_id::text) e ON true
LEFT JOIN LATERAL (SELECT c.reason FROM reconciler.credit_backs c WHERE c.account_id = @account_id::text AND c.job_id = j.id ORDER BY c.business_date DESC, c.credited_ever DESC LIMIT 1) c ON true
ORDER BY j.created_at DESC, j.id COLLATE "C"
