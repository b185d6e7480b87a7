COPY reconciler.credit_backs (account_id, job_id, business_date, kind, status, failure_code, class, rule, policy_version, finished_at,
                              debited, credited_before, credited_ever, credit_back, decision, clause, reason, entry_id, booked_at) FROM STDIN
