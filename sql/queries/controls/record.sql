-- A job's control totals, instead of those of an earlier run; returned as they are stored. Another job's total of the same name is left alone.
WITH given AS MATERIALIZED (
    SELECT control, check_name, unit, scanned, matched, awaiting, breaks FROM json_populate_recordset(NULL::reconciler.control_totals, @rows::json)
), gone AS (
    DELETE FROM reconciler.control_totals c
    WHERE c.business_date = @date::date AND c.job = @job::text
      AND NOT EXISTS (SELECT FROM given g WHERE g.check_name = c.check_name AND g.unit = c.unit)
)
INSERT INTO reconciler.control_totals AS c (business_date, job, control, check_name, unit, scanned, matched, awaiting, breaks)
SELECT @date::date, @job::text, control, check_name, unit, scanned, matched, awaiting, breaks FROM given
ON CONFLICT (business_date, check_name, unit) DO UPDATE
SET control = excluded.control, scanned = excluded.scanned, matched = excluded.matched, awaiting = excluded.awaiting, breaks = excluded.breaks
WHERE c.job = excluded.job
RETURNING check_name, unit, difference
