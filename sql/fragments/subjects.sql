-- What the job of the night has to look at exactly.
(SELECT DISTINCT {{ subject_id }} AS subject_id FROM reconciler.candidates WHERE business_date = @date::date AND job = @job::text)
