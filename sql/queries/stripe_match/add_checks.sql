INSERT INTO reconciler.stripe_checks (account_id, business_date, job, control, again, subject_id, outcome, kind, field, ours, theirs, variance,
    unit, detail, amount_minor, currency, since)
SELECT account_id, @date::date, @job::text, control, again, subject_id, outcome, kind, field, ours, theirs, variance, unit, detail,
       amount_minor, currency, since
FROM json_populate_recordset(NULL::reconciler.stripe_checks, @rows::json)
