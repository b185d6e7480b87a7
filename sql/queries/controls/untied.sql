-- Read back after the write: what doesn't tie.
SELECT check_name, unit, difference::text AS difference
FROM reconciler.control_totals
WHERE business_date = @date::date AND job = @job::text AND difference <> 0
ORDER BY check_name, unit
