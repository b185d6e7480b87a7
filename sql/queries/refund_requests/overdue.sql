INSERT INTO reconciler.findings (account_id, business_date, job, kind, subject_id, field, ours, theirs, variance, unit, detail)
SELECT account_id, @date::date, @job::text, 'review_overdue', request_id, 'due_date', @date::date::text, due_date::text, -days_left, 'business days',
       'requested on ' || (requested_at AT TIME ZONE @zone::text)::date || ', due on ' || due_date || ', still ' || decision
FROM reconciler.refund_decisions
WHERE business_date = @date::date AND decision NOT IN ('approve', 'deny') AND status = 'pending' AND days_left < 0
