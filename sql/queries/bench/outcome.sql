-- What the night has found, what its control totals are, and what it has posted to the ledger: a line each.
SELECT concat_ws(' ', 'break', account_id, break_id, job, kind, severity, subject_type, subject_id, field) AS line
FROM reconciler.breaks WHERE opened_on = @date::date
UNION ALL
SELECT concat_ws(' ', 'control', check_name, unit, scanned, matched, awaiting, breaks)
FROM reconciler.control_totals WHERE business_date = @date::date
UNION ALL
SELECT concat_ws(' ', 'posted', kind, count(*), sum(credits))
FROM source.credit_entries WHERE created_at >= @end::timestamptz GROUP BY kind
