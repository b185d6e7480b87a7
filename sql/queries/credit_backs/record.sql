INSERT INTO reconciler.credit_backs (account_id, job_id, business_date, kind, status, failure_code, class, rule, policy_version, finished_at,
                                     debited, credited_before, credited_ever, credit_back, decision, clause, reason, entry_id, booked_at)
SELECT account_id, job_id, @date::date, kind, status, failure_code, class, rule, policy_version, finished_at,
       debited, credited_before, credited_ever, credit_back, decision, clause, reason,
       CASE WHEN decision = 'credited' THEN 'cb_' || left(md5(job_id || '|' || credited_ever), 24) ELSE '' END,
       CASE WHEN decision = 'credited' THEN @booked_at::timestamptz END
FROM json_populate_recordset(NULL::reconciler.credit_backs, @rows::json)
