INSERT INTO reconciler.control_totals (business_date, job, check_name, unit, scanned, matched, awaiting, breaks)
VALUES (@date::date, @job::text, @check::text, @unit::text, @scanned::numeric, @matched::numeric, @awaiting::numeric, @breaks::numeric)
