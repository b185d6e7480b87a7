SELECT check_name, unit, scanned, matched, awaiting, breaks, difference
FROM reconciler.control_totals
WHERE business_date = @date::date
ORDER BY check_name COLLATE "C", unit COLLATE "C"
