INSERT INTO reconciler.findings (account_id, business_date, job, kind, subject_id, field, ours, theirs, variance, unit, detail)
SELECT account_id, @date::date, @job::text, 'late_item', entry_id, 'created_at', booked_on::text, entry_date::text, credits, 'credits',
       'belongs to ' || entry_date || CASE WHEN entry_date < first.noted THEN ', before the first night' ELSE ', which had been reported' END || '; booked on ' || booked_on
FROM reconciler.late_items
CROSS JOIN (SELECT min(t.business_date) AS noted FROM reconciler.input_totals t WHERE EXISTS (SELECT 1 FROM reconciler.ledger_before)) first
WHERE booked_on = @date::date
