WITH found AS (DELETE FROM reconciler.findings WHERE business_date = @date::date AND job = @job::text)
DELETE FROM reconciler.candidates WHERE business_date = @date::date AND job = @job::text
