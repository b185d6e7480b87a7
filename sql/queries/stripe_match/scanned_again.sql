-- How many objects outside the night are looked at again.
SELECT count(*)::text FROM reconciler.candidates WHERE business_date = @date::date AND job = @scope::text AND NOT in_scan
