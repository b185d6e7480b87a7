-- Where the jobs that were set aside stand in the bitmap of @bits bits.
SELECT DISTINCT hashtext({{ subject_id }}) & (@bits::int - 1) AS bit
FROM reconciler.candidates
WHERE business_date = @date::date AND job = @job::text
