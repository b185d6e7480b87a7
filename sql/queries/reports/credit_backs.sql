SELECT job_id, account_id, kind, failure_code, class, debited, credited_before, credit_back, decision, clause, reason, entry_id
FROM reconciler.credit_backs
WHERE business_date = @date::date
ORDER BY job_id COLLATE "C", account_id COLLATE "C", credited_ever
