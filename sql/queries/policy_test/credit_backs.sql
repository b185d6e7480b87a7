-- Every failed job's decision in a range of nights, with the facts it was made from.
SELECT business_date, account_id, job_id, status, failure_code, finished_at, class, decision, credit_back,
       least(debited, 9223372036854775807)::bigint AS debited, least(credited_ever, 9223372036854775807)::bigint AS credited_ever
FROM reconciler.credit_backs
WHERE business_date >= @from::date AND business_date <= @to::date AND status IN ('failed', 'interrupted', 'canceled')
ORDER BY business_date, job_id COLLATE "C", credited_ever
