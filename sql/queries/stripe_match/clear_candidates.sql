DELETE FROM reconciler.candidates WHERE business_date = @date::date AND job = ANY (@scopes::text[])
