-- Whether a night was done to its end, well or not.
SELECT EXISTS (SELECT FROM reconciler.runs WHERE business_date = @date::date AND job = 'night' AND status IN ('completed', 'failed'))
