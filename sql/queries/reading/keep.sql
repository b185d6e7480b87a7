-- Jobs that are not plainly clean, with what the night has of them.
INSERT INTO reconciler.candidates (business_date, job, account_id, subject_id, in_scan, cost, debits)
SELECT @date::date, @job::text, x.account_id, x.job_id, x.in_scan, x.cost, x.debits
FROM json_to_recordset(@rows::json) AS x (account_id text, job_id text, in_scan boolean, cost numeric, debits numeric)
ON CONFLICT (business_date, job, account_id, subject_id) DO UPDATE SET in_scan = excluded.in_scan, cost = excluded.cost, debits = excluded.debits
