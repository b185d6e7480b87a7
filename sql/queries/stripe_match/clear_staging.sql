-- What an earlier run of the night may have left.
WITH found AS (DELETE FROM reconciler.findings WHERE business_date = @date::date AND job = @job::text),
     looked_at AS (DELETE FROM reconciler.candidates WHERE business_date = @date::date AND job = ANY (@scopes::text[]))
DELETE FROM reconciler.stripe_checks WHERE business_date = @date::date AND job = @job::text
