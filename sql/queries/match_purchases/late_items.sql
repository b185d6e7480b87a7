INSERT INTO reconciler.findings (account_id, business_date, job, kind, subject_id, field, ours, theirs, variance, unit, detail)
SELECT account_id, @date::date, @job::text, 'late_item', entry_id, 'created_at', booked_on::text, entry_date::text, credits, 'credits',
       'belongs to ' || entry_date || ', which had been reported; booked on ' || booked_on
FROM reconciler.late_items
WHERE booked_on = @date::date
